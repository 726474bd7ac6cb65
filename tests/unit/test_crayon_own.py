"""Sets of the user's own: registered below the allowed folders, checked row by row, trained on."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from backend.__main__ import main
from backend.crayon import examples, layouts, library, originals, requests, sets, work
from backend.crayon.requests import RefineRequest, maps_job, original_job
from backend.crayon.simulate import says_yes
from backend.errors import BadRequest, NotFound
from backend.settings import Settings
from components.runtime import create_services
from models.guided_nets import BirdNet, GuidedNet
from tests.crayon_bench import Ticket, client_of, told
from tests.fake_work import WORKS
from tests.own_sets_made import dogs, picture


@pytest.fixture
def roots(tmp_path, monkeypatch):
    folder = tmp_path / "pictures"
    folder.mkdir()
    env = {"LOUPE_STATE_DIR": str(tmp_path / "state"), "LOUPE_IMAGE_ROOTS": str(folder)}
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(library, "_settings", None)
    yield folder
    monkeypatch.setattr(library, "_settings", None)


def test_a_table_becomes_a_set_that_load_knows(roots):
    dogs(roots)
    made = library.add("dogs/table.csv", "csv", "My dogs", "dogs/masks", "Is it on the animal?")
    held = sets.load(made.key)
    assert held.key.startswith("own-my-dogs-")
    assert (held.title, held.classes, len(held)) == ("My dogs", ("cat", "dog"), 12)
    assert [len(held.rows(s)) for s in sets.SPLITS] == [8, 2, 2]
    assert held.asked(0) == "Is it on the animal?"
    assert held.image(0).shape == (128, 128, 3)
    assert sets.known()[made.key] == "My dogs"
    assert sets.load(made.key) is held
    assert made.key not in sets.bundled()
    # The mask is cut as the image is: the central 32 x 32 of 40 x 32 px, so 4 px off each side.
    mask = held.cover([0, 1], (4, 4))
    assert mask[0].tolist() == [
        [0.0] * 4,
        [0.75, 0.25, 0.0, 0.0],
        [0.0] * 4,
        [0.0] * 4,
    ]
    assert mask[1][1].tolist() == [0.0, 0.0, 0.25, 0.75]


def test_sets_lie_below_the_allowed_folders(roots, tmp_path):
    outside = dogs(tmp_path, name="elsewhere")
    for path in (outside / "table.csv", "../elsewhere/table.csv", "missing.csv", "a\0b", ""):
        with pytest.raises((NotFound, BadRequest)):
            library.add(path, "csv", "x")
    (roots / "link").symlink_to(outside)
    with pytest.raises(NotFound, match="allowed folders"):
        library.add("link/table.csv", "csv", "x")
    with pytest.raises(NotFound, match="no set"):
        sets.load("own-../../x")


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("img/99.jpg,dog,g,train", "Row 13: there is no image 'img/99.jpg'"),
        ("../../x.jpg,dog,g,train", "Row 13: there is no image"),
        ("img/0.jpg,dog,g,soon", "Row 13 is in the split 'soon'"),
        ("img/0.jpg,dog,g", "Row 13 has more or fewer cells"),
        ("img/0.jpg,dog,g,train,more", "Row 13 has more or fewer cells"),
        ("img/0.jpg,,g,train", "Row 13 has no label"),
        ("img/broken.jpg,dog,g,train", "Row 13: broken.jpg is not a readable"),
    ],
)
def test_bad_rows_are_named(roots, row, sentence):
    folder = dogs(roots)
    (folder / "img/broken.jpg").write_bytes(b"not an image")
    with (folder / "table.csv").open("a") as file:
        file.write(row + "\n")
    with pytest.raises(BadRequest) as caught:
        library.add("dogs/table.csv", "csv", "dogs")
    assert sentence in caught.value.message
    assert library.titles() == {}


def test_other_mistakes_are_sentences(roots):
    folder = dogs(roots)
    for arguments, sentence in [
        (("dogs/table.csv", "cats", "dogs"), "no layout 'cats'"),
        (("dogs/table.csv", "csv", "+++"), "as a name"),
        (("dogs", "waterbirds", "dogs"), "no readable metadata.csv"),
        (("dogs/table.csv", "csv", "dogs", "", "x" * 400), "too long"),
    ]:
        with pytest.raises(BadRequest, match=sentence.replace("+", r"\+")):
            library.add(*arguments)
    (folder / "masks/img/3.png").unlink()
    with pytest.raises(BadRequest, match=r"Row 4: there is no mask 'img/3\.png'"):
        library.add("dogs/table.csv", "csv", "dogs", "dogs/masks")
    (roots / "list_attr_celeba.txt").write_text("1\nSmiling Black_Hair Blond_Hair\na.jpg 1 1\n")
    with pytest.raises(BadRequest, match=r"Row 1 of list_attr_celeba\.txt has 2 values"):
        layouts.celeba(roots)


def test_a_set_that_changed_is_refused_and_so_is_one_that_went(roots):
    folder = dogs(roots)
    key = library.add("dogs/table.csv", "csv", "dogs").key
    sets.load(key)
    library._held.clear()
    picture(folder / "img/0.jpg", 10, (64, 64))
    with pytest.raises(BadRequest, match="have changed"):
        sets.load(key)
    (folder / "table.csv").rename(folder / "other.csv")
    with pytest.raises(NotFound, match="allowed folders"):
        sets.load(key)


def test_folders_that_could_be_added_are_listed(roots):
    dogs(roots)
    (roots / "birds").mkdir()
    (roots / "birds/metadata.csv").write_text("img_filename,y,place,split\n")
    found = library.candidates()
    assert {"path": "dogs/table.csv", "layout": "csv"} in found
    assert {"path": "birds", "layout": "waterbirds"} in found
    assert len(found) == 2


def test_a_model_is_trained_and_the_whole_chain_runs(roots, tmp_path, capsys):
    dogs(roots)
    services = create_services(Settings.from_env(), WORKS)
    http = client_of(services)
    body = {"path": "dogs/table.csv", "layout": "csv", "name": "dogs", "masks": "dogs/masks"}
    key = told(http.post("/_crayon/sets", json=body))["key"]
    (listed,) = [s for s in told(http.get("/_crayon/sets"))["sets"] if s["key"] == key]
    assert listed["has_masks"]
    assert listed["counts"] == {"training": 8, "validation": 2, "test": 2}
    assert told(http.get("/_crayon/folders"))["folders"][0]["path"] == "dogs/table.csv"
    told(http.post("/_crayon/sets", json=body | {"path": 5}), 400)
    told(http.post("/_crayon/original", json={"set": "birds"}), 400)
    told(http.post("/_crayon/original", json={"set": key, "epochs": 0}), 400)
    with pytest.raises(NotFound, match="not trained yet"):
        maps_job(key)
    job = original_job(key, epochs=2)
    ticket = Ticket(services.store)
    found = originals.original(job.params, ticket)
    assert found["loss"].shape == (2,)
    assert len(ticket.lines) == 2
    card = requests.original_card(key)
    assert (card.key, card.architecture) == (f"crayon-{key}", "BirdNet")
    assert {"worst_group_accuracy", "group_0_accuracy"} <= card.metrics.keys()
    maps = maps_job(key)
    services.store.put(maps.key, work.maps(maps.params, ticket))
    stored = services.store.get(maps.key)
    assert stored["maps"].shape == (12, 8, 8)
    assert says_yes(stored["maps"], sets.load(key).cover(list(range(12)), (8, 8))).shape == (12,)
    told(http.post("/_crayon/simulate", json={"set": key, "noise": 0.0}))
    run = RefineRequest(key, "erm", epochs=1).job(services.answers, services.store)
    result = work.refine(run.params, ticket)
    assert result["group_after"].shape == (2,)
    assert examples.corrected(card.key, result).output.out_features == 2
    services.close()
    assert main(["crayon", "original", "--set", key, "--epochs", "1"]) == 0
    assert f"crayon-{key}: Fine-tuned here" in capsys.readouterr().err
    assert requests.original_card(key).fingerprint != card.fingerprint  # and is loaded anew
    assert examples.original(card.key) is not examples._loaded(card.key, card.fingerprint, True)


def test_commands_add_and_refuse(roots, capsys):
    dogs(roots)
    assert main(["crayon", "add", "dogs/table.csv", "--layout", "csv", "--name", "Dogs"]) == 0
    assert "8 training, 2 validation, 2 test items" in capsys.readouterr().err
    assert main(["crayon", "add", "/etc", "--layout", "in9", "--name", "Dogs"]) == 2
    assert "LOUPE_IMAGE_ROOTS" in capsys.readouterr().err
    (key,) = library.titles()
    assert main(["crayon", "original", "--set", key, "--factory", "a:b"]) == 2
    assert "belong together" in capsys.readouterr().err


class Tiny(GuidedNet):
    def __init__(self, n_classes):
        stage = nn.Sequential(nn.Conv2d(3, 4, 5, 8), nn.ReLU())
        super().__init__(nn.Identity(), stage, 4, n_classes)


def test_a_model_of_the_users_own(roots, monkeypatch, tmp_path):
    dogs(roots)
    key = library.add("dogs/table.csv", "csv", "dogs").key
    torch.manual_seed(0)
    path = tmp_path / "mine.safetensors"
    save_file(Tiny(2).state_dict(), path)
    plugin = SimpleNamespace(tiny=Tiny, wide=lambda n: Tiny(n + 1), other=lambda n: nn.Flatten())
    monkeypatch.setitem(sys.modules, "my_nets", plugin)
    with pytest.raises(BadRequest, match="not named in LOUPE_PLUGINS"):
        originals.adopt(key, "my_nets:tiny", path)
    monkeypatch.setenv("LOUPE_PLUGINS", "my_nets")
    for factory, sentence in [
        ("my_nets:none", "has no 'none'"),
        ("my_nets:other", "makes no GuidedNet"),
        ("my_nets:wide", "does not fit"),
    ]:
        with pytest.raises(BadRequest, match=sentence):
            originals.adopt(key, factory, path)
    with pytest.raises(BadRequest, match="not a readable safetensors"):
        originals.adopt(key, "my_nets:tiny", tmp_path / "none")
    card = originals.adopt(key, "my_nets:tiny", path)
    assert card.architecture == "my_nets:tiny"
    assert isinstance(examples.original(card.key), Tiny)
    job = maps_job(key)
    found = work.maps(job.params, Ticket(None))
    assert found["maps"].shape == (12, 16, 16)
    with pytest.raises(BadRequest, match="bundled sets stay"):
        originals.adopt("birds", "my_nets:tiny", path)


def test_originals_start_from_the_pretrained_trunk(roots):
    dogs(roots)
    held = sets.load(library.add("dogs/table.csv", "csv", "dogs").key)
    net = originals.untrained(held, 0)
    assert isinstance(net, BirdNet)
    assert net.output.out_features == 2
