# A prompt's life.
promptops create 'Technical Support Response' --content 'Hello {{ name }}' --tag support --module help --description 'First answer' --metadata '{"owner": "ann"}'
promptops create 'Technical Support Response' --content 'again'
promptops create Chat --message 'system=Be kind.' --message 'user={{ question }}' --json
promptops create Nothing
promptops create Both --content a --file b
promptops get technical-support-response
promptops get technical-suport-response
promptops get technical-support-response --version 9
promptops get chat --quiet
promptops update technical-support-response --content 'Dear {{ name }}' --why warmer
promptops update technical-support-response --content 'Dear {{ name }}'
promptops update chat --version 1.0.0 --tag edited
promptops update chat --message nonsense
promptops versions technical-support-response
promptops list --sort-by name --sort-order asc
promptops list --tag support --query TECHNICAL --limit 1
promptops list --limit 1 --sort-by name
promptops list --all --sort-by name --sort-order asc
promptops list --module nowhere
promptops list --limit 0
promptops list --module help --json
promptops validate technical-support-response chat
promptops validate nothing

# Deleting, and what stands in its way.
promptops label set technical-support-response production 1.0.0
promptops delete technical-support-response --version 1.0.0
promptops delete technical-support-response --version 1.0.0 --force
promptops delete chat --json
promptops delete chat
