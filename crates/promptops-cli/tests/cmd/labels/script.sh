promptops create Greeting --content 'Hello {{ name }}'
promptops update greeting --content 'Dear {{ name }}'
promptops label list greeting
promptops label set greeting production 1.0.0
promptops label set greeting production latest
promptops label undo greeting production
promptops label set greeting canary 1.0.0=90 1.1.0=10 --json
promptops label set greeting canary 1.0.0=90 production
promptops label set greeting next 7.0.0
promptops label list greeting
promptops get greeting --version production --quiet
promptops label remove greeting canary
promptops label remove greeting canary
promptops label undo greeting canary

# What happened.
promptops watch --since start --once
promptops watch --since start --count 1 --json
promptops watch --since 7 --once
