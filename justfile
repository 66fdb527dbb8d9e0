# Every check that CI runs, in one word: `just check`.
check: lint types layers docs test

lint:
    ruff format --check .
    ruff check .

types:
    basedpyright

layers:
    lint-imports

docs:
    python -m docs.check

test *args:
    pytest {{args}}

format:
    ruff format .
    ruff check --fix .
