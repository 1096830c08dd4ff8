"""What the lab keeps of what it built."""

from __future__ import annotations

from npufleet_lab import cache


def test_an_image_and_its_folder_find_each_other() -> None:
    assert cache.folder_name("npufleet-lab/node-hce2:0123456789ab") == "image-hce2-0123456789ab"
    assert cache.folder_name("npufleet-lab/node-debian12:ff") == "image-debian12-ff"
