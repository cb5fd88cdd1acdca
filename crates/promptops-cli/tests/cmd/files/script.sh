# Nothing is there yet: a plan, and no registry is changed by looking at it.
promptops push --dry-run
promptops push --check

# Files with mistakes are told before anything is written.
promptops push broken
promptops validate broken --json

# Published, and nothing is left to do.
promptops push --label production --why 'first import'
promptops push --check --label production
promptops list --sort-by name --sort-order asc

# What was pushed comes back as it was.
promptops pull --check
promptops pull greeting --json

# A change of a file is a new version; its diff is shown.
cp changed.txt prompts/greeting.prompt.md
promptops diff prompts/greeting.prompt.md
promptops pull
promptops push --bump patch --why 'warmer'
promptops push
promptops versions greeting
promptops diff greeting production
promptops diff greeting 1.0.0 1.0.1 --check
promptops diff prompts/greeting.prompt.md prompts/support/refund.prompt.md --json

# The files of a label.
promptops pull --version production
promptops get support/refund

# A prompt without a file is told, and deleted where that is asked for.
promptops create Stray --content 'left over'
promptops push --dry-run
promptops push --prune --json

# A file whose prompt was deleted is removed; one that was never pushed is nowhere else.
promptops create 'Short lived' --content 'for a while'
promptops pull short-lived
promptops delete short-lived --yes
cp prompts/greeting.prompt.md prompts/unpushed.prompt.md
promptops pull --prune
promptops pull nothing
promptops push missing.prompt.md
