promptops --version
promptops --help
promptops init --help
promptops push --help
promptops pull --help
promptops diff --help
promptops validate --help
promptops list --help
promptops get --help
promptops render --help
promptops versions --help
promptops create --help
promptops update --help
promptops delete --help
promptops label --help
promptops compat --help
promptops models --help
promptops watch --help
promptops stats --help
promptops health --help
promptops keys --help
promptops export --help
promptops import --help
promptops serve --help
promptops backup --help
promptops restore --help
promptops completions --help
promptops man --help
promptops label set --help
promptops label undo --help
promptops label remove --help
promptops label list --help
promptops keys create --help
promptops keys list --help
promptops keys revoke --help

# What a shell and a reader of the manual get begins as it should.
promptops completions bash | head -3
promptops completions zsh | head -2
promptops completions fish | head -2
promptops completions powershell | head -3
promptops man | head -4
promptops man pages
ls pages | head -4
promptops completions tcsh
