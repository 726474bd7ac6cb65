"""The success model: shapes, what is missing, phases of training, what its file keeps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from backend.errors import BadRequest, WeightsRefused
from backend.insights import encoding, fitting, models
from backend.insights.prepared import Prepared, target
from models.insights import MODALITIES, Inputs, InsightNet, Shape, built, paper
from models.insights_parts import Lines, Mlp
from models.insights_training import PAPER, Plan, Preset, batches, joint, loss_of, pretrain
from tests.insights_sets import fitted, tiny

TINY = Shape(2, 3, mlp=(8, 4), fusion=(8,), heads=2, image_width=8, text_width=8)


def untrained(shape: Shape = TINY) -> InsightNet:
    torch.manual_seed(0)
    table = torch.randn(50, 12)
    return built(shape, lambda: table, encoding.minilm).eval()


def some(n: int = 3) -> Inputs:
    ids = torch.arange(1, 1 + 4 * n).view(n, 4)
    lines = Lines(ids, torch.ones(n, 4, dtype=torch.bool), torch.arange(n), n)
    pixels = torch.rand(n, 3, 128, 128)
    has_image = torch.ones(n, dtype=torch.bool)
    return Inputs(lines, pixels, has_image, torch.eye(n, 2), torch.randn(n, 3))


def test_the_layers_are_those_of_table_3_1() -> None:
    net = built(paper(3, 4), lambda: torch.randn(50, 12), encoding.minilm)
    for mlp, widths in (
        (net.domain, [512, 1024, 1024, 512]),
        (net.features, [512, 1024, 1024, 512]),
        (net.fusion[0][0], [512, 1024, 1024]),
    ):
        assert isinstance(mlp, Mlp)
        assert [layer.out_features for layer in list(mlp)[::3]] == widths
        assert [type(layer).__name__ for layer in list(mlp)[:3]] == ["Linear", "BatchNorm1d", "ELU"]
    assert len(net.fusion) == 1
    assert net.fusion[0][1].out_features == 1
    assert net.fusion[0][0].width == 1024


def test_the_papers_settings() -> None:
    told = {stage: (p.batch, p.lr, p.epochs, p.betas) for stage, p in PAPER.items()}
    assert told == {
        "image": (32, 0.001, 50, (0.9, 0.999)),
        "text": (8, 0.001, 50, (0.9, 0.999)),
        "domain": (512, 0.0005, 50, (0.9, 0.999)),
        "features": (512, 0.0005, 50, (0.9, 0.999)),
        "joint": (32, 0.001, 50, (0.9, 0.999)),
    }


def test_the_answer_is_one_sigmoid_of_the_mean_of_the_heads() -> None:
    net, inputs = untrained(), some()
    with torch.inference_mode():
        embeddings = net.embed(inputs)
        logits = net.head_logits(embeddings)
        assert logits.shape == (3, 2)
        assert torch.allclose(net(inputs), torch.sigmoid(logits.mean(1)))
        assert {m: tuple(e.shape) for m, e in embeddings.items()} == {
            "image": (3, 8), "text": (3, 8), "domain": (3, 4), "features": (3, 4),
        }  # fmt: skip


@pytest.mark.parametrize("missing", MODALITIES)
def test_a_missing_modality_is_a_zero_vector(missing: str) -> None:
    net, inputs = untrained(), some()
    no_lines = Lines(torch.zeros(0, 0, dtype=torch.int64), torch.zeros(0, 0, dtype=torch.bool),
                     torch.zeros(0, dtype=torch.int64), 3)  # fmt: skip
    parts = {
        "image": {"pixels": None, "has_image": torch.zeros(3, dtype=torch.bool)},
        "text": {"lines": no_lines},
        "domain": {"domain": torch.zeros(3, 2)},
        "features": {},
    }
    if missing == "features":
        net = untrained(Shape(2, 0, mlp=(8, 4), fusion=(8,), heads=2, image_width=8, text_width=8))
    left = {name: getattr(inputs, name) for name in Inputs.__slots__} | parts[missing]
    with torch.inference_mode():
        without = Inputs(**left)
        assert not net.embed(without)[missing].any()
        assert torch.isfinite(net(without)).all()
        assert ((net(without) > 0) & (net(without) < 1)).all()


def test_the_loss_by_hand() -> None:
    rate = torch.tensor([0.1, 0.3])
    told = target(tiny())
    mine = type(told)(rate, torch.tensor([100.0, 300.0]), torch.tensor([0, 0]))
    logits = torch.logit(torch.tensor([[0.2], [0.2]]))
    ones = torch.ones(2, 1)
    assert float(loss_of(logits, mine, ones, "mse")) == pytest.approx(0.01 / 0.01, rel=1e-4)
    likelihood = -(
        0.5 * (0.1 * np.log(0.2) + 0.9 * np.log(0.8))
        + 1.5 * (0.3 * np.log(0.2) + 0.7 * np.log(0.8))
    )
    found = float(loss_of(logits, mine, ones, "binomial"))
    assert found == pytest.approx(likelihood / 2 / 0.2, rel=1e-4)
    right = torch.logit(rate)[:, None]
    assert float(loss_of(right + 1.0, mine, ones, "within")) == pytest.approx(0.2 / 0.05, rel=1e-3)


def test_batches_keep_experiments_whole_where_asked() -> None:
    group = torch.arange(12) // 3
    generator = torch.Generator().manual_seed(0)
    for part in batches(torch.arange(12), group, 4, generator, whole=True):
        assert (torch.bincount(group[part])[group[part]] == 3).all()
    loose = list(batches(torch.arange(9), group, 4, generator, whole=False))
    assert sorted(map(len, loose)) == [4, 4]  # the last one alone has no variance


def test_phase_one_leaves_mlp3_and_phase_two_leaves_the_picture() -> None:
    held = tiny(20)
    design = encoding.design_of(held, held.rows("training"))
    data = Prepared(held, np.arange(len(held)), design, "words")
    net = built(Shape(2, len(design.columns), mlp=(8, 4), fusion=(8,), heads=2, image_width=8,
                      text_width=8), encoding.word_vectors, encoding.minilm)  # fmt: skip
    presets = dict.fromkeys(PAPER, Preset(16, 1e-3, 2))
    rows = [torch.from_numpy(held.rows(split)) for split in ("training", "validation")]
    plan, wanted = Plan(rows[0], rows[1], presets), target(held)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    for modality in MODALITIES:
        pretrain(net, modality, data, wanted, plan)
    between = {k: v.clone() for k, v in net.state_dict().items()}
    joint(net, data, wanted, plan)
    after = net.state_dict()
    moved = lambda a, b: {k.split(".")[0] for k in a if not torch.equal(a[k], b[k])}  # noqa: E731
    assert moved(before, between) == {"image", "text", "domain", "features", "single"}
    assert moved(between, after) == {"text", "domain", "features", "fusion"}


def test_a_fit_learns_what_is_planted_and_its_file_tells_it_again(tmp_path: Path) -> None:
    held, model = tiny(), fitted()
    rows = held.rows("test")
    found = model.predict(model.inputs(held, rows))
    assert np.corrcoef(found, held.success[rows])[0, 1] > 0.6
    made = fitting.Fitted(model.net, model.design, dict(model.info.told), np.zeros(len(held)))
    path = tmp_path / "tiny.safetensors"
    path.write_bytes(made.to_bytes())
    again = models.read(path)
    assert np.allclose(again.predict(again.inputs(held, rows)), found, atol=1e-6)
    assert again.half_logit == pytest.approx(model.half_logit)
    path.write_bytes(made.to_bytes()[:-100])
    with pytest.raises(WeightsRefused):
        models.read(path)


def test_the_same_seed_gives_the_same_model() -> None:
    held = tiny(20)
    runs = [fitting.fit(held, fitting.Options(epochs=1, seed=3)).net.state_dict() for _ in "ab"]
    assert all(torch.equal(runs[0][name], runs[1][name]) for name in runs[0])


def test_bad_settings_and_too_few_contents_are_sentences() -> None:
    with pytest.raises(BadRequest, match="no encoder 'bert'"):
        fitting.fit(tiny(), fitting.Options(encoder="bert"))  # type: ignore[arg-type]
    with pytest.raises(BadRequest, match="learn from"):
        fitting.fit(tiny(4), fitting.Options())


def test_an_interval_covers_what_it_says() -> None:
    rng = np.random.default_rng(0)
    logit = rng.normal(-2, 0.3, 2000)
    rate, shown = 1 / (1 + np.exp(-logit - rng.normal(0, 0.2, 2000))), np.full(2000, 1e9)
    predicted = 1 / (1 + np.exp(-logit))
    half = models.half_width(rate[:500], predicted[:500], shown[:500])
    away = np.abs(np.log(rate / (1 - rate)) - logit)[500:]
    assert 0.87 < (away <= half).mean() < 0.93
    assert models.half_width(rate[:3], predicted[:3], shown[:3]) == np.inf


def test_words_lines_and_tokens_of_difficult_texts() -> None:
    assert encoding.cut("").words == ()
    emoji = encoding.cut("Free 🎁 trial\n\nالعربية")
    assert emoji.words == ("Free", "🎁", "trial", "العربية")
    assert len(emoji.lines) == 2
    long = encoding.cut("word " * 10_000)
    assert sum(len(tokens) for tokens, _ in long.lines) == encoding.TEXT_TOKENS
    assert long.n_unread == 10_000 - encoding.TEXT_TOKENS
    assert max(len(tokens) for tokens, _ in long.lines) == encoding.LINE_TOKENS
    html = encoding.cut("<b>Free</b>")
    assert html.words == ("<b>Free</b>",)


def test_features_of_another_table_are_encoded_by_name() -> None:
    held = tiny()
    design = encoding.design_of(held, held.rows("training"))
    made = encoding.feature_columns(
        design, [{"device": "phone", "words": 0.0}, {"device": "tv"}, {}]
    )
    assert made.shape == (3, 3)
    assert made[0, 1] > 0 > made[0, 2]
    assert not made[1:].any()
    assert not encoding.domain_code(design, ["shop", "moon"])[1].any()
