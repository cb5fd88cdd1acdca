promptops import prompts.json more --dry-run
promptops import prompts.json more
promptops import prompts.json more --json
promptops versions support/refund
promptops label list support/refund
promptops render order -v name=Ann -v 'items:=[{"title": "Tea", "price": 3}]'
promptops pull
promptops push --check
promptops import bad.prompt
promptops import bad.prompt --from promptops
promptops import more/order.prompt more
