"""Words of the evidence sheet in Chinese and English, and how its numbers and moments are written."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal
from zoneinfo import ZoneInfo

from enforcement.settings import read_enforcement
from enforcement.states import read_states
from enforcement.units import mu

Language = Literal["zh", "en"]

_WORDS = {
    "title": ("疑似变化线索证据单", "Evidence sheet of a suspected change"),
    "number": ("线索编号", "Alert number"),
    "kind": ("变化类型", "Kind of change"),
    "kind_found": ("影像判读类别", "Kind by the images"),
    "type": ("核定类型", "Official type"),
    "state": ("当前状态", "State"),
    "works": ("施工状态", "State of works"),
    "place": ("所在地", "Answers for it"),
    "also_in": ("另涉及", "Also reaches into"),
    "area": ("面积", "Area"),
    "centre": ("中心点（EPSG:4490）", "Centre (EPSG:4490)"),
    "source": ("线索来源", "Source"),
    "seen": ("发现次数", "Times seen"),
    "seen_value": (
        "{times} 次，{sources} 种来源，{first} 至 {last}",
        "{times}, by {sources} sources, {first} to {last}",
    ),
    "score": ("置信度", "Score"),
    "not_set": ("未核定", "not set"),
    "unknown": ("不详", "not known"),
    "page_link": ("扫码查看线索页面", "The alert's page"),
    "pictures": ("前后影像（同一比例尺）", "Before and after, at one scale"),
    "before": ("前时相", "Before"),
    "after": ("后时相", "After"),
    "no_picture": ("无影像", "No picture"),
    "scale": ("比例尺约 1:{scale}（A4 原样打印）", "about 1:{scale} on A4"),
    "outline": ("红线：疑似变化范围", "red line: outline of the suspected change"),
    "gsd": ("分辨率", "GSD"),
    "location": ("位置图", "Location"),
    "no_areas": ("未加载行政区界线", "No boundaries of areas are loaded."),
    "north": ("北", "N"),
    "corners": ("界址点坐标", "Corner coordinates"),
    "corners_all": ("共 {total} 个界址点，全部列出。", "All {total} corners are listed."),
    "corners_few": (
        "界线经简化，列出 {total} 个界址点中的 {listed} 个；完整界线见随附的 alert.geojson。",
        "Simplified to {listed} of {total} corners; the whole outline is in alert.geojson.",
    ),
    "corners_holes": ("内环自以下点起：{labels}。", "Holes begin at: {labels}."),
    "corners_system": (
        "经纬度：CGCS2000（EPSG:4490），单位度。平面：{name}（{code}，中央经线 {meridian}°，含带号），单位米。",
        "Degrees: CGCS2000 (EPSG:4490). Metres: {name} ({code}, central meridian {meridian}°, zone in the easting).",
    ),
    "corners_no_zone": (
        "经纬度：CGCS2000（EPSG:4490），单位度。此处不在 25 至 45 带内，无平面坐标。",
        "Degrees: CGCS2000 (EPSG:4490). Outside of the zones 25 to 45: no plane coordinates.",
    ),
    "point": ("点号", "Corner"),
    "ring": ("环", "Ring"),
    "lon": ("经度", "Longitude"),
    "lat": ("纬度", "Latitude"),
    "northing": ("X（北）/m", "X, north / m"),
    "easting": ("Y（东）/m", "Y, east / m"),
    "overlaps": ("与图层套合情况", "Overlaps with layers"),
    "no_overlaps": ("未加载可套合的图层。", "No layer is loaded that it could be compared with."),
    "layer": ("图层", "Layer"),
    "layer_kind": ("类别", "Kind"),
    "dated": ("图层日期", "Date of layer"),
    "approval": ("文号/编号", "Number"),
    "valid": ("有效", "Valid"),
    "overlap": ("重叠面积", "Overlap"),
    "share": ("占比", "Share"),
    "none": ("无重叠", "none"),
    "yes": ("是", "yes"),
    "no": ("否", "no"),
    "sights": ("历次发现与面积变化", "Sights and growth"),
    "date": ("日期", "Date"),
    "growth": ("较首次", "Since the first"),
    "origin": ("影像与计算依据", "Images and computation"),
    "sha_before": ("前时相影像 SHA-256", "SHA-256, earlier image"),
    "sha_after": ("后时相影像 SHA-256", "SHA-256, later image"),
    "sha_weights": ("模型权重 SHA-256", "SHA-256, weights"),
    "sha_settings": ("参数设置 SHA-256", "SHA-256, settings"),
    "residual": ("配准残差（中位数）", "Registration residual (median)"),
    "log": ("处置记录", "Log"),
    "no_log": ("尚无处置记录。", "No step was taken yet."),
    "when": ("时间", "When"),
    "who": ("人员（角色）", "Who (role)"),
    "step": ("状态变更", "From → to"),
    "why": ("事由", "Why"),
    "hash": ("校验", "Hash"),
    "times_in": (
        "时间为 {zone}。记录逐条链式校验，末条完整校验值：",
        "Times in {zone}. Each step holds the hash of the one before; the last hash in full:",
    ),
    "begin": ("（登记）", "(found)"),
    "signatures": ("签字", "Signatures"),
    "checked_by": ("实地核查人", "Checked by"),
    "reviewed_by": ("复核人", "Reviewed by"),
    "sign_date": ("日期", "Date"),
    "finding": ("实地核查情况", "Found on the ground"),
    "page_of": ("第 {page} / {pages} 页", "Page {page} of {pages}"),
    "generated": ("生成于 {moment}", "Generated {moment}"),
}

_LAYERS = {
    "approval": ("批文", "Approval"),
    "cultivated": ("耕地", "Cultivated land"),
    "basic_farmland": ("永久基本农田", "Permanent basic farmland"),
    "plan": ("规划", "Plan"),
    "farm_facility": ("设施农用地", "Farm facility register"),
    "protected": ("保护地", "Protected area"),
}
_WORKS = {
    "levelled": ("已平整", "Levelled"),
    "partly_built": ("部分建成", "Partly built"),
    "built": ("已建成", "Built"),
}


class Words:
    """The words of one language."""

    def __init__(self, language: Language) -> None:
        """Speak Chinese (``zh``) or English (``en``)."""
        self.language = language
        self.index = 0 if language == "zh" else 1

    def __call__(self, name: str, /, **values: Any) -> str:
        """The word of that name, with the values put in."""
        return _WORDS[name][self.index].format(**values)

    def pair(self, names: tuple[str, str]) -> str:
        """One of a name in (Chinese, English)."""
        return names[self.index]

    def state(self, name: str) -> str:
        """A state as people call it; one that the table no longer has stays as it is."""
        state = read_states().states.get(name)
        return self.pair((state.zh, state.en)) if state else name

    def role(self, name: str) -> str:
        """A role as people call it."""
        role = read_states().roles.get(name)
        return self.pair((role.zh, role.en)) if role else name

    def source(self, name: str) -> str:
        """A source of alerts as people call it."""
        source = read_enforcement().sources.get(name)
        return self.pair((source.zh, source.en)) if source else name

    def layer(self, kind: str) -> str:
        """A kind of layer as people call it."""
        return self.pair(_LAYERS.get(kind, (kind, kind)))

    def works(self, name: str) -> str:
        """A state of works as people call it."""
        return self.pair(_WORKS.get(name.replace(" ", "_"), (name, name)))

    def area(self, area_m2: float) -> str:
        """Like ``3.00 mu (2,000.0 m²)``."""
        unit = "亩" if self.index == 0 else "mu"
        return f"{mu(area_m2):,.2f} {unit} ({area_m2:,.1f} m²)"

    def day(self, day: dt.date | None) -> str:
        """ISO 8601, or that it is not known."""
        return self("unknown") if day is None else day.isoformat()

    def moment(self, moment: dt.datetime, zone: ZoneInfo) -> str:
        """Local date and time to the minute, with the difference from UTC: ``2026-12-01 09:30 +08:00``."""
        text = f"{moment.astimezone(zone):%Y-%m-%d %H:%M %z}"
        return f"{text[:-2]}:{text[-2:]}"
