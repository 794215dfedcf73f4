"""Tracks: length without gaps, gaps as such, hostile files refused."""

from __future__ import annotations

import datetime as dt

import pytest

from enforcement.patrols.track import Track, TrackError, drawn_track, read_gpx, simplified

STEP = 0.001  # degrees of latitude, 111 m
START = dt.datetime(2026, 11, 24, 1, 0, tzinfo=dt.UTC)


def gpx(*segments: list[tuple[float, int]], head: str = "") -> bytes:
    """Return a GPX file; points as (steps to the north, minutes since the start)."""
    body = "".join(
        "<trkseg>"
        + "".join(
            f'<trkpt lat="{30 + STEP * north:.6f}" lon="120.0">'
            f"<time>{START + dt.timedelta(minutes=minutes):%Y-%m-%dT%H:%M:%SZ}</time></trkpt>"
            for north, minutes in points
        )
        + "</trkseg>"
        for points in segments
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>{head}<gpx version="1.1" creator="test" '
        f'xmlns="http://www.topografix.com/GPX/1/1"><trk>{body}</trk></gpx>'
    ).encode()


def read(data: bytes, most_bytes: int = 10**6, most_points: int = 1000) -> Track:
    return read_gpx(data, gap_seconds=300, gap_m=1000, most_bytes=most_bytes, most_points=most_points)


def test_the_length_of_a_track_and_its_times() -> None:
    track = read(gpx([(n, n) for n in range(11)]))
    assert track.length_m == pytest.approx(1109, abs=2)
    assert (track.gaps, len(track.segments)) == ([], 1)
    assert track.started_at == START
    assert track.ended_at == START + dt.timedelta(minutes=10)


def test_a_pause_with_the_screen_off_is_a_gap_and_no_walked_ground() -> None:
    track = read(gpx([(0, 0), (1, 1), (5, 21), (6, 22)]))
    assert track.length_m == pytest.approx(222, abs=1)
    [gap] = track.gaps
    assert (gap.seconds, round(gap.metres)) == (1200, 443)
    assert [len(segment) for segment in track.segments] == [2, 2]


def test_a_jump_is_a_gap_and_a_new_segment_that_continues_at_once_is_none() -> None:
    assert len(read(gpx([(0, 0), (1, 1), (30, 2), (31, 3)])).gaps) == 1
    assert read(gpx([(0, 0), (1, 1)], [(2, 2), (3, 3)])).gaps == []
    assert len(read(gpx([(0, 0), (1, 1)], [(2, 9), (3, 10)])).gaps) == 1


BOMB = '<!DOCTYPE gpx [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
FILE = '<!DOCTYPE gpx [<!ENTITY a SYSTEM "file:///etc/passwd">]>'


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (gpx([(0, 0), (1, 1)], head=BOMB), "track.unsafe"),
        (gpx([(0, 0), (1, 1)], head=FILE), "track.unsafe"),
        (gpx([(n, n) for n in range(20)]), "track.points"),
        (gpx([(0, 0), (1, 1)]) + b" " * 20_000, "track.too_large"),
        (b"<html></html>", "track.empty"),
        (b"\x00\xff\xfe", "track.not_gpx"),
        (gpx([(0, 0)]), "track.empty"),
        (gpx([(0, 0), (1, 1)]).replace(b'lat="30.000000"', b'lat="95"'), "track.position"),
        (gpx([(0, 0), (1, 1)]).replace(b'lat="30.000000"', b'lat="nan"'), "track.position"),
        (gpx([(0, 0), (1, 1)]).replace(b'lat="30.000000"', b'lat="x"'), "track.not_gpx"),
    ],
)
def test_hostile_and_useless_files_are_refused(data: bytes, code: str) -> None:
    with pytest.raises(TrackError) as refused:
        read(data, most_bytes=10_000, most_points=10)
    assert refused.value.reason.code == code


def test_a_drawn_line_has_no_gaps_and_a_long_track_is_thinned_with_its_ends() -> None:
    track = drawn_track([(120.0, 30.0), (120.0, 31.0)])
    assert (round(track.length_m / 1000), track.gaps, track.started_at) == (111, [], None)
    long = read(gpx([(n, n) for n in range(500)]))
    [thinned] = simplified(long, 50)
    assert len(thinned) <= 51
    assert (thinned[0], thinned[-1]) == (long.segments[0][0], long.segments[0][-1])
    with pytest.raises(TrackError):
        drawn_track([(120.0, 30.0)])
