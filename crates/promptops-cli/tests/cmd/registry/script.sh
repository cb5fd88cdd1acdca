promptops create Greeting --content 'Hello {{ name }}'
promptops health
promptops models --provider cohere --capability chat
promptops compat greeting openai/gpt-4 anthropic/claude-3-opus
promptops compat greeting openai
promptops compat greeting /x
promptops stats
promptops stats --start tomorrow
promptops keys create ci --scope read --scope write --in-project registry --per-minute 60
promptops keys create ci --scope everything
promptops keys list --json | grep '"name": "ci"'
promptops keys revoke nothing

# To one file and back; what is there already stays.
promptops update greeting --content 'Dear {{ name }}'
promptops label set greeting production 1.0.0
promptops export all.jsonl
promptops export all.jsonl
promptops import all.jsonl
promptops import all.jsonl --project copied --dry-run
promptops import all.jsonl --project copied
promptops versions greeting --project copied
promptops label list greeting --project copied
promptops update greeting --project copied --version 1.1.0 --content 'Hi {{ name }}'
promptops import all.jsonl --project copied
cp all.jsonl cut.jsonl
sed -i 3d cut.jsonl
promptops import cut.jsonl
promptops import nothing.jsonl
promptops export nowhere/all.jsonl --db sqlite:nothing.db
