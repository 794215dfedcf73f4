"""``tuban retention``: list images that exceed the limits of the settings, and delete their pixels."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

from cli.administration.service import open_service
from cli.language import headed, say
from service.images.retention import delete_expired, expired_images

RULES = {"days": "older than retention.days", "per_place": "retention.per_place", "disk_share": "retention.disk_share"}


def retention(
    apply: Annotated[bool, typer.Option("--apply", help="Delete the listed images.")] = False,
) -> None:
    """List the images that exceed the limits of the settings `retention`; with --apply, delete their pixels.

    An image is listed only if a later one shows its ground, and never if it is evidence of an alert. The schedule does
    the same every day when a limit is set. Each deletion is in the audit log.
    """
    console = Console(highlight=False, soft_wrap=True, markup=False)
    with open_service() as context:
        images = expired_images(context)
        table = headed("image", "file", "area", "MiB", "newer images", "limit")
        for image in images:
            scene = image.scene
            size = f"{image.size / 2**20:.1f}"
            table.add_row(str(scene.scene_id), scene.name, scene.area_code, size, str(scene.newer), RULES[image.rule])
        if images:
            console.print(table)
        total = sum(image.size for image in images) / 2**20
        message = f"{len(images)} images, {total:,.1f} MiB, exceed the limits."
        console.print(say(message, "cli.expired", images=len(images), size=total))
        if apply:
            count = delete_expired(context, images, "command")
            console.print(say(f"{count} images deleted.", "cli.deleted", count=count))
