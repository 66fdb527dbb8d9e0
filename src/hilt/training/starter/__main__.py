"""The starter model from data to folder: `python -m hilt.training.starter STEP --recipe recipes/starter.toml`.

Steps, in order: `data` prints conversations to look at, `tokenizer` trains the tokenizer, `pretrain` trains the weights
(on a GPU, with PyTorch), `export` writes the folder that mlx-lm loads, `evaluate` measures it.
"""

import argparse
from itertools import islice
from pathlib import Path

from hilt.training.starter.conversations import conversations
from hilt.training.starter.recipe import Recipe, read_recipe
from hilt.training.starter.rendering import rendered


def _data(recipe: Recipe, arguments: argparse.Namespace) -> None:
    for conversation in islice(conversations(arguments.seed, arguments.held_out), arguments.count):
        print(rendered(conversation), end="\n\n")


def _tokenizer(recipe: Recipe, arguments: argparse.Namespace) -> None:
    from hilt.training.starter import tokenizer

    drawn = islice(conversations(recipe.tokenizer.seed), recipe.tokenizer.conversations)
    texts = (text for conversation in drawn for text in tokenizer.without_markers(rendered(conversation)))
    tokenizer.save(tokenizer.trained(texts), arguments.out)


def _pretrain(recipe: Recipe, arguments: argparse.Namespace) -> None:
    from hilt.training.starter import pretrain

    plan = pretrain.PretrainRun(
        tokenizer_file=arguments.tokenizer / "tokenizer.json",
        out=arguments.out,
        minutes=arguments.minutes,
        steps=arguments.steps,
        start_from=arguments.start_from,
    )
    record = pretrain.run(recipe, plan)
    print({key: record[key] for key in ("steps", "tokens", "own", "held_out", "seconds")})


def _export(recipe: Recipe, arguments: argparse.Namespace) -> None:
    from hilt.training.starter import export

    export.write_folder(recipe, arguments.weights, arguments.tokenizer, arguments.out, arguments.bits)


def _evaluate(recipe: Recipe, arguments: argparse.Namespace) -> None:
    from hilt.training.starter import evaluate

    evaluate.evaluate(recipe, arguments.model, arguments.out)


def main() -> None:
    """Run one step."""
    parser = argparse.ArgumentParser(prog="python -m hilt.training.starter", description=__doc__)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--recipe", type=Path, default=Path("recipes/starter.toml"))
    steps = parser.add_subparsers(required=True, metavar="STEP")

    data = steps.add_parser("data", parents=[shared], help="print conversations")
    data.add_argument("--seed", type=int, default=1)
    data.add_argument("--count", type=int, default=5)
    data.add_argument("--held-out", action="store_true", help="with tools kept from training")
    data.set_defaults(run=_data)

    tokenizer = steps.add_parser("tokenizer", parents=[shared], help="train the tokenizer")
    tokenizer.add_argument("--out", type=Path, required=True)
    tokenizer.set_defaults(run=_tokenizer)

    pretrain = steps.add_parser("pretrain", parents=[shared], help="train the weights")
    pretrain.add_argument("--tokenizer", type=Path, required=True, help="folder of the tokenizer")
    pretrain.add_argument("--out", type=Path, required=True)
    pretrain.add_argument("--minutes", type=float, default=8.0)
    pretrain.add_argument("--steps", type=int, help="instead of as many as fit the minutes")
    pretrain.add_argument("--start-from", type=Path, help="folder of weights to go on from")
    pretrain.set_defaults(run=_pretrain)

    export = steps.add_parser("export", parents=[shared], help="write the folder that mlx-lm loads")
    export.add_argument("--weights", type=Path, required=True)
    export.add_argument("--tokenizer", type=Path, required=True)
    export.add_argument("--out", type=Path, required=True)
    export.add_argument("--bits", type=int, choices=(8, 16), default=16)
    export.set_defaults(run=_export)

    evaluate = steps.add_parser("evaluate", parents=[shared], help="measure a folder and write a record")
    evaluate.add_argument("--model", type=Path, required=True)
    evaluate.add_argument("--out", type=Path, required=True, help="the record's file")
    evaluate.set_defaults(run=_evaluate)

    arguments = parser.parse_args()
    arguments.run(read_recipe(arguments.recipe), arguments)


if __name__ == "__main__":
    main()
