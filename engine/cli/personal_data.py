"""`engine personal-data`: the keys that personal data, and everything else that is sealed, are under."""

import json
import os
from typing import Annotated

import typer

from engine.cli.nodes import addresses_of, run_with_services
from engine.cli.options import DATA_DIR, AsJson, DataDir, Exit, fail, out, progress_bar
from engine.embedded.services import Services
from engine.flows.clock import IdSource
from engine.flows.personal_data.rotate import Rotated, Rotation, next_field_key
from engine.flows.personal_data.sealing import follow_sealing
from engine.settings import Settings
from engine.store.reads import Reads
from engine.wiring import open_books, prepare_database

app = typer.Typer(help="Personal data: the keys that they are sealed under.", no_args_is_help=True)


@app.callback()
def personal_data() -> None:
    """Personal data: the keys that they are sealed under."""


@app.command()
def rotate(
    is_resumed: Annotated[bool, typer.Option("--resume", help="Finish an earlier rotation; make no new key.")] = False,
    data_dir: DataDir = DATA_DIR,
    as_json: AsJson = False,
) -> None:
    """Make a new key, and seal everything anew under it. Nodes go on meanwhile, and write under it within a minute.

    What is under an earlier key stays readable, so a rotation that was broken off loses nothing. Exit 1 if something is
    left, as it may be while nodes have not heard of the key: then again, with --resume.
    """
    settings = Settings(data_dir=data_dir, environ=os.environ)

    async def run(services: Services) -> Rotated:
        await prepare_database(services.database_url)
        async with open_books(settings, addresses_of(services)) as books:
            now = (await Reads(books.pool).business_now()).now
            if not is_resumed:
                await next_field_key(books.pool, books.keyring.field_key.cipher, now=now)
                await follow_sealing(books.pool, books.keyring)
            with progress_bar() as bar:
                task = bar.add_task("pages", total=None)
                rotation = Rotation(
                    books.pool,
                    books.keyring,
                    IdSource(),
                    now=now,
                    progress=lambda done, total: bar.update(task, completed=done, total=total),
                )
                return await rotation.rotate()

    rotated = run_with_services(data_dir, run)
    if as_json:
        out.print_json(
            json.dumps(
                {
                    "key": rotated.key.id,
                    "cipher": rotated.key.cipher.name.lower(),
                    "sealed_anew": rotated.done,
                    "left": rotated.left,
                }
            )
        )
    else:
        out.print(f"key {rotated.key.id}, {rotated.key.cipher.name}", markup=False)
        for name, count in rotated.done.items():
            out.print(f"{name}: {count} sealed anew, {rotated.left.get(name, 0)} left", markup=False)
    if rotated.left:
        fail(Exit.CHECK_FAILED, "Something was changed while it was being sealed anew: run it again with --resume.")
