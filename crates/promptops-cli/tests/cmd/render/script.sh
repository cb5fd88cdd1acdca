promptops create Greeting --content 'Hello {{ name }}, {{ items }}!'
promptops render greeting -v name=Ann -v 'items:=[1, 2]'
promptops render greeting --vars vars.json -v name=Bob
promptops render greeting -v nmae=Ann
promptops render greeting -v name=Ann -v items=x -v spare=y
promptops render greeting -v name=Ann -v items=x -v spare=y --strict
promptops render greeting --vars vars.json --as openai
promptops render chat.prompt.md -v question=why --as anthropic
promptops render chat.prompt.md -v question=why
promptops render chat.prompt.md -v question=why --as gemini --model google/gemini-2.5-pro
promptops render chat.prompt.md -v question=why --version 1.0.0
promptops render greeting -v name
promptops render greeting -v 'name:=nonsense'
promptops render greeting --vars chat.prompt.md
promptops render greeting --vars vars.json --version nowhere
