"""The task of texts on the real encoder: laws that hold by construction, and pinned files."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from backend import catalog, datasets
from backend.errors import BadRequest
from backend.items import BadItems
from backend.nero import evaluate, orbits, tasks
from backend.nero.requests import OrbitRequest
from backend.text_items import TextItems
from models.cards import WeightsMismatch, verify_weights, weights_path
from models.text_classes import PROMPTS
from models.text_encoder import MiniLM, WordVectors, load_encoder, load_tokenizer, mean_of
from models.text_measure import read

ROOT = Path(__file__).resolve().parents[2]
SENTENCES = ["a young female horse", "a feeling of delighted approval", "sweet juicy fruit"]
LIBRARY = (
    (-0.028793135657906532, 0.0014876981731504202, 0.03824179619550705, 0.029507018625736237),
    (0.013928861357271671, 0.05439825356006622, 0.007652938365936279, 0.03089369647204876),
)


def minilm():
    return catalog.load_model("text-minilm", "cpu")


def words():
    return catalog.load_model("text-words", "cpu")


def test_the_encoder_answers_as_the_library_does():
    """First numbers of sentence-transformers 6.2.0's own vectors for the same file."""
    vectors = minilm()._model.embed(["a young female horse", "the time after sunset"]).numpy()
    assert vectors.shape == (2, 384)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(vectors[0, :4], LIBRARY[0], atol=2e-6)
    np.testing.assert_allclose(vectors[1, :4], LIBRARY[1], atol=2e-6)


def test_cards_carry_what_was_measured():
    texts, labels = read("definitions")
    for key, floor in (("text-words", 0.4),):
        card, backend = catalog.card(key), catalog.load_model(key, "cpu")
        right = backend.predict(texts).argmax(axis=1) == labels.numpy()
        assert right.mean() == pytest.approx(card.metrics["accuracy"], abs=1e-6)
        assert right.mean() > floor
    some = np.arange(0, 400, 20)
    right = minilm().predict([texts[i] for i in some]).argmax(axis=1) == labels.numpy()[some]
    assert right.mean() == pytest.approx(catalog.card("text-minilm").metrics["accuracy"], abs=0.2)
    assert (
        f"{catalog.card('text-minilm').metrics['temperature']:g}"
        in catalog.card("text-minilm").summary
    )


def test_no_evaluation_text_chose_the_temperature():
    held, other = set(read("definitions")[0]), set(read("calibration")[0])
    assert len(held) == len(other) == 400
    assert not held & other


def test_a_text_is_answered_alike_alone_and_among_others():
    batch = [*SENTENCES, "x " * 300, SENTENCES[0]]
    together = minilm().predict(batch)
    alone = np.concatenate([minilm().predict([text]) for text in batch])
    np.testing.assert_allclose(together, alone, atol=1e-5)
    assert np.array_equal(together[0], together[4])
    np.testing.assert_allclose(together.sum(axis=1), 1, atol=1e-6)


def test_texts_without_words_have_no_answer():
    for backend in (minilm(), words()):
        answers = backend.predict(["", " ", "word"])
        assert np.isnan(answers[:2]).all()
        assert np.isfinite(answers[2]).all()
        assert backend.predict([]).shape == (0, 10)


@pytest.mark.parametrize("wrong", ["a text", [1.5], np.zeros((1, 3, 4, 4))])
def test_a_backend_refuses_what_is_no_text(wrong):
    with pytest.raises(BadRequest, match="reads a list of texts"):
        words().predict(wrong)


def test_capitals_change_nothing_for_a_model_that_takes_them_for_small_letters():
    result = evaluate("text-minilm", "texts", orbits.cases(), range(0, 400, 50))
    assert np.ptp(result.metric, axis=1).max() == 0
    assert result.aggregate("agreement").tolist() == [1] * 6
    assert result.classes == tuple(PROMPTS)


def test_the_order_of_words_changes_nothing_for_the_mean_of_their_vectors():
    rows = range(0, 400, 8)
    flat = evaluate("text-words", "texts", orbits.word_orders(), rows)
    assert np.ptp(flat.metric, axis=1).max() < 1e-5
    assert flat.aggregate("agreement").min() == 1
    told = evaluate("text-minilm", "texts", orbits.word_orders(), range(0, 400, 50))
    assert np.ptp(told.metric, axis=1).max() > 0.05  # and does for the encoder


def test_synonyms_matter_where_there_are_any():
    held = datasets.load("definitions")
    orbit = orbits.synonyms(4)
    changed = orbit.changed(held.inputs(np.arange(400)))[:, -1]
    rows = [int(np.flatnonzero(changed == n)[0]) for n in (0, 1, 2)]
    metric = evaluate("text-words", "texts", orbit, rows).metric
    assert np.ptp(metric[0]) == 0
    assert np.ptp(metric[1]) > 0
    assert metric[1, 1] == metric[1, 2]  # one listed word: the second element replaces no more
    assert metric[2, 1] != metric[2, 2]


def test_metrics_are_those_of_classification():
    """A made-up model that finds the word 'horse', by hand."""

    def finder(batch):
        is_horse = np.array([text.split()[0] == "horse" for text in batch], np.float32)
        return np.stack([is_horse, 1 - is_horse], axis=1)

    texts = ["horse of a king", "king of a horse"]
    orbit = orbits.word_orders(11)
    result = evaluate(finder, "texts", orbit, (texts, np.array([0, 0])))
    reverse = orbit.labels.index("reversed")
    assert result.metric[:, [0, reverse]].tolist() == [[1, 0], [0, 1]]
    assert result.aggregate("accuracy")[0] == 0.5
    assert result.aggregate("agreement")[[0, reverse]].tolist() == [1, 0]
    assert result.item_names == tuple(texts)
    unknown = evaluate(finder, "texts", orbit, (texts, np.array([-1, -1])))
    assert np.isnan(unknown.metric).all()


@pytest.mark.parametrize(
    ("items", "what"),
    [
        ((["a", " "], np.array([0, 0])), "one of them is empty"),
        (([], np.array([], int)), "one of them is empty"),
        ((["a"], np.array([0, 1])), "Labels have the shape"),
        ((["a"], np.array([0.5])), "Labels have the shape"),
        ([400], "no row 400"),
    ],
)
def test_items_that_are_no_texts_are_refused(items, what):
    with pytest.raises(BadRequest, match=what):
        tasks.find("texts").gather(items)


def test_images_are_no_texts():
    with pytest.raises(BadRequest, match="pictures only"):
        tasks.find("texts").gather(datasets.load("digits"))
    with pytest.raises(BadRequest, match="transforms of text"):
        evaluate("text-words", "texts", orbits.rotations(4))


def test_the_bundled_set_is_texts_with_pictures_of_them():
    held = datasets.load("definitions")
    assert held.shape == (64, 64, 1)
    assert held.image(0).any()
    assert held.inputs([3, 1]).tolist() == [held.texts[3], held.texts[1]]
    assert np.bincount(held.labels).tolist() == [40] * 10
    assert held.columns["words"].min() >= 7
    assert len(set(held.texts)) == 400
    with pytest.raises(BadItems, match="no row 400"):
        held.inputs([400])
    with pytest.raises(BadItems, match="399 texts for 400"):
        replace_texts(held, held.texts[1:])
    with pytest.raises(BadItems, match="row 0 is empty"):
        replace_texts(held, ("", *held.texts[1:]))
    changed = replace_texts(held, ("another", *held.texts[1:]))
    assert changed.fingerprint != held.fingerprint


def replace_texts(held, texts):
    names = ("key", "title", "task", "pixels", "labels", "ids", "names", "classes", "source")
    return TextItems(**{n: getattr(held, n) for n in names}, licence=held.licence, texts=texts)


def test_requests_name_texts_and_their_orbits():
    request = OrbitRequest("texts", "text-minilm", "")
    assert request.orbit == "words-11"
    assert request.dataset == "definitions"
    assert OrbitRequest.from_params(request.params()) == request
    with pytest.raises(BadRequest, match="was not made for"):
        OrbitRequest("texts", "digits-plain", "words")


def test_two_models_of_one_file_are_told_apart():
    one, other = catalog.card("text-minilm"), catalog.card("text-words")
    assert one.weights_sha256 == other.weights_sha256
    assert one.fingerprint != other.fingerprint
    assert weights_path(one).name == "model.safetensors"


def test_a_missing_or_other_file_is_refused():
    card = catalog.card("text-minilm")
    verify_weights(card)
    with pytest.raises(WeightsMismatch, match="missing"):
        verify_weights(replace(card, weights_file="no_such_package:model/model.safetensors"))
    with pytest.raises(WeightsMismatch, match="sha256"):
        verify_weights(replace(card, weights_sha256="0" * 64))
    with pytest.raises(WeightsMismatch, match="not known"):
        load_encoder(replace(card, architecture="GPT"))
    with pytest.raises(WeightsMismatch, match="tokenizer"):
        load_tokenizer(replace(card, weights_file="plain.safetensors"))


def test_the_mean_leaves_padding_and_marks_out():
    x = torch.tensor([[[3.0, 0.0], [0.0, 4.0], [9.0, 9.0]]])
    mask = torch.tensor([[True, True, False]])
    np.testing.assert_allclose(mean_of(x, mask)[0], [0.6, 0.8], rtol=1e-6)
    model = WordVectors()
    ids = torch.tensor([[101, 7, 102, 0]])
    alone = torch.nn.functional.normalize(model.embeddings["word_embeddings"].weight[7], dim=0)
    told = model(ids, torch.tensor([[True, True, True, False]]))
    np.testing.assert_allclose(told[0].detach(), alone.detach(), rtol=1e-5)


def test_attention_does_not_see_padding():
    torch.manual_seed(0)
    model = MiniLM().eval()
    short = torch.tensor([[101, 50, 60, 102]])
    padded = torch.tensor([[101, 50, 60, 102, 0, 0]])
    with torch.inference_mode():
        one = model(short, torch.ones(1, 4, dtype=torch.bool))
        other = model(padded, padded > 0)
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_the_web_process_needs_no_torch_for_texts():
    code = (
        "import sys\n"
        "from backend import datasets\n"
        "from backend.nero import orbits, tasks\n"
        "import numpy as np\n"
        "held = datasets.load('definitions')\n"
        "print(orbits.find('synonyms').act(held.inputs([0]), np.arange(3)).shape)\n"
        "assert not {'torch', 'tokenizers', 'transformers'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "(1, 3)\n", done.stderr


def test_the_model_loads_no_library_and_asks_no_network():
    code = (
        "import socket, sys\n"
        "def refuse(*a, **k): raise OSError('no network here')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from backend import catalog\n"
        "print(catalog.load_model('text-words', 'cpu').predict(['a horse']).shape)\n"
        "assert not {'transformers', 'sentence_transformers'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "(1, 10)\n", done.stderr
