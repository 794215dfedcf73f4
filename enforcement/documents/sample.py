"""A sample alert, with which a template is tried before it is used."""

from __future__ import annotations

import datetime as dt
from typing import Any

from enforcement.documents.kinds import Bureau, DocumentKind, Documents
from enforcement.documents.numbers import document_number
from enforcement.documents.values import AlertWords, Issue, alert_values, proposed_data, template_values

_DAY = dt.date(2026, 11, 30)
ALERT = AlertWords(
    number="330106U2026110001",
    county="样例县",
    township="样例镇",
    village="样例村",
    lon=120.0875,
    lat=30.2641,
    area_m2=1843.6,
    farmland_m2=1200.0,
    basic_farmland_m2=820.5,
    change="新增建设",
    source="卫星影像",
    found_on=dt.date(2026, 11, 2),
    before_on=dt.date(2026, 9, 14),
    after_on=dt.date(2026, 11, 1),
    determined=True,
    determined_on=dt.date(2026, 11, 20),
    stop=("样自然资停〔2026〕7号", dt.date(2026, 11, 9)),
    correction=("样自然资改〔2026〕3号", dt.date(2026, 11, 23)),
)
BUREAU = Bureau(
    bureau="样例县自然资源局", prefix="样自然资", contact="陈某", phone="0571-00000000", address="样例路1号"
)


def sample_values(settings: Documents, kind: DocumentKind) -> dict[str, Any]:
    """Return values for every field, some with characters that a careless template would break on."""
    data = proposed_data(settings, kind, ALERT, BUREAU)
    for name, field in settings.fields.items():
        if data.get(name):
            continue
        data[name] = {
            "date": "2026-12-15",
            "identity": "330106199001011234",
            "lines": "张某（样例镇）\n李某（样例县<自然资源>局）",
            "long": f"{field.zh}（样例）第一段，a < b & c > d。\n第二段：“引号”与'撇号'。",
        }.get(field.kind, f"{field.zh}<样例>&公司")
    for entry in data["enclosures"]:
        entry["ticked"] = True
    number = document_number(kind, BUREAU.prefix, _DAY.year, 12)
    return template_values(
        settings, kind, alert_values(settings, ALERT, BUREAU), data, Issue(number, _DAY, _DAY + dt.timedelta(days=7))
    )
