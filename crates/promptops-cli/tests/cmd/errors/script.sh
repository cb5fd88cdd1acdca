promptops create Here --content x
promptops
promptops nonsense
promptops get
promptops get greeting --base-url http://127.0.0.1:1/v1
promptops get greeting --base-url http://127.0.0.1:1/v1 --json
promptops get greeting --base-url ftp://here
promptops get greeting --base-url sqlite:nothing.db
promptops get greeting --timeout 0
promptops get 'no such' --json
promptops push
promptops push nothing
promptops validate nothing.prompt.md
promptops serve --base-url x --listen nowhere
promptops backup --db sqlite:nothing.db copy --json
