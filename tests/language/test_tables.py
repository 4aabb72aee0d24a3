"""What doctor and history tell, in Japanese, within the width of the console."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from rich.cells import cell_len

from hvctl.cli.schedule import _listed
from hvctl.core.check import Spot
from hvctl.doctor.cause import Cause
from hvctl.doctor.judge import Diagnosis
from hvctl.doctor.report import lines
from hvctl.history.past import Absence, HostPast, Span, Stood
from hvctl.language import speaking
from hvctl.metering.stretch import Gap
from hvctl.metering.usage import Usage
from hvctl.monitor.schedule.job import Note
from hvctl.monitor.schedule.systemd import Installed
from hvctl.show.history import history_lines
from hvctl.show.metering import Measurement, measured_lines
from hvctl.text.address import Address

NOW = datetime(2026, 3, 5, tzinfo=UTC)
STOPPED = Cause(
    "vmms_stopped", "hyper_v", "blocks", "the service of Hyper-V, vmms, is stopped", "Start-Service vmms", "host"
)
SKEWED = Cause(
    "clock_skew", "time", "warns", "the host's clock is 7 min behind this machine's", "w32tm /resync", "host", "likely"
)


@pytest.fixture(autouse=True)
def japanese() -> Iterator[None]:
    with speaking("ja"):
        yield


def test_doctor() -> None:
    one = Diagnosis(
        "夜間01",
        "夜間01:5986",
        "Windows Server 2022 (20348)",
        "LAB\\svc",
        (STOPPED, SKEWED),
        ("configuration", "name", "port"),
    )
    told = [line.plain for line in lines([one], width=100)]
    assert told[0].startswith("夜間01  夜間01:5986, Windows Server 2022 (20348), アカウント LAB\\svc")
    assert told[0].endswith("原因 1、警告 1")
    assert told[1:5] == [
        "  ✗ Hyper-V のサービス（vmms）が動作していません（stopped）",
        "    → ホストで: Start-Service vmms",
        "  ! ホストの時計は、このコンピューターの時計より 7 分遅れています（可能性大）",
        "    → ホストで: w32tm /resync",
    ]
    assert told[5].startswith("  · まだ調べていないもの: TLS、ログオン、WinRM のシェル")
    assert told[-1] == "ホスト 1 台: 作業できない、または一部しかできないホスト 1 台。"
    many = [line.plain for line in lines([one] * 9, width=100)]
    assert many[0] == "ホスト 9 台: 夜間01, 夜間01, 夜間01, 夜間01, 夜間01 ほか 4"
    assert many[-1].endswith("1 台ずつ表示します。")


@pytest.mark.parametrize("width", [60, 80, 130])
def test_history(width: int) -> None:
    day = timedelta(days=1)
    spot = Spot(Address("hv01", "processor", ("受付01",), ""), "weight")
    span = Span(spot, "100", "200", "", "host", NOW - 3 * day, NOW)
    over = Span(spot, "100", "200", "", "wish", NOW - 3 * day, NOW, NOW - day, "as wished")
    known = Span(spot, "100", "200", "", "unknown", NOW - 3 * day, NOW, None, "", "2027-01-31", "移行の途中")
    away = Absence(NOW - 2 * day, NOW - day, "connection refused by hv01", NOW - day)
    role = Stood("role", "", "受付01", "on HV02", NOW - 3 * day, NOW)
    host = HostPast("hv01", "", 12, 2, NOW, (span, over, known), (away,), 540, (role,))
    told = [line.plain for line in history_lines([host], "all", NOW - 7 * day, NOW, "h.db", width=width)]
    text = "".join(line.strip() for line in told)
    for words in (
        "確認 12 回（うち到達不可 2 回）、最後は", "継続中、3 日", "解消（2 日後）", "許容済み、3 日",
        "2027-01-31 まで許容: 移行の途中",
        "hv01 が接続を拒否しました", "クラスターのロール 受付01", "継続中 1、許容済み 1、解消 1",
    ):  # fmt: skip
        assert words.replace(" ", "") in text.replace(" ", ""), (words, told)
    assert all(cell_len(line) <= width for line in told), told
    starts = {
        cell_len(line[: line.index(word)])
        for line in told
        for word in ("継続中、", "解消（", "許容済み、")
        if word in line
    }
    assert len(starts) == 1, told


def test_meters_and_what_they_cost() -> None:
    start, end = NOW, NOW + timedelta(hours=3)
    usage = Usage("1", "夜間01", "hv01", "", start, end, gaps=(Gap(start, end, "it was not metered"),))
    told = [line.plain for line in measured_lines(Measurement(start, end, (usage,)), width=100)]
    assert told[0].startswith("仮想マシン  ホスト  開始") and told[0].endswith("受信  送信")
    assert cell_len(told[0].partition("ホスト")[0]) == cell_len(told[1].partition("hv01")[0])
    assert told[2] == "    ! 3 時間の間の使用量が分かりません: 計測されていませんでした"
    assert (
        told[-1]
        == "仮想マシン 1 台、うち計測中 0 台。残りは、プレイブックの `resource_metering: true` で計測されます。"
    )


def test_timers() -> None:
    note = Note(("/lab/夜間.yml",), "every 15 min", 90, "apply", ("restart",))
    last, coming = (datetime(2026, 3, day, 3).astimezone() for day in (1, 2))
    assert _listed(Installed("夜間", True, note, True, last, coming, "drifted")) == [
        "夜間   15 分ごと、最大 1 分 30 秒遅れて   (システム)",
        "  適用: (許可: restart) /lab/夜間.yml",
        f"  前回   Sun 2026-03-01 03:00:00 {last:%Z}、ずれ",
        f"  次回   Mon 2026-03-02 03:00:00 {coming:%Z}",
    ]
