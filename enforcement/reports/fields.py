"""Fields that a column of a layout may show, by the kind of row, with their usual labels.

``filled`` fields come from alerts, patrols and lower reports. The others are empty until a person enters them:
approvals, sanctions and other matters of paper that the software does not know.
"""

from __future__ import annotations

from typing import NamedTuple

from enforcement.reports.sheet import Kind


class Field(NamedTuple):
    """A field of a row.

    Attributes:
        zh, en: usual label.
        kind: of its values.
        filled: whether the software knows it.
        unit: of numbers, in Chinese and English.
    """

    zh: str
    en: str
    kind: Kind = "text"
    filled: bool = True
    unit: tuple[str, str] = ("", "")


MU = ("亩", "mu")


def _mu(zh: str, en: str, filled: bool = True) -> Field:
    return Field(zh, en, "number", filled, MU)


def _entered(zh: str, en: str, kind: Kind = "text") -> Field:
    return Field(zh, en, kind, False)


ALERT: dict[str, Field] = {
    "serial": Field("序号", "No.", "whole"),
    "number": Field("图斑编号", "Alert"),
    "village": Field("村", "Village"),
    "township": Field("乡镇", "Township"),
    "movement": Field("类别", "Movement"),
    "patrols": Field("巡查次数", "Patrols", "whole"),
    "found_on": Field("发现时间", "Found on", "date"),
    "first_image_on": Field("首次影像日期", "First image", "date"),
    "place": Field("位置/坐标", "Place"),
    "party": Field("用地单位(个人)", "Party"),
    "party_kind": Field("主体分类", "Kind of party"),
    "kind": Field("变化类型", "Kind of change"),
    "use": Field("用途", "Use"),
    "works": Field("建设情况", "State of works"),
    "began_on": Field("动工时间", "Works began on", "date"),
    "area_mu": _mu("占地面积", "Area"),
    "farmland_mu": _mu("其中耕地", "Farmland"),
    "basic_mu": _mu("其中永久基本农田", "Basic farmland"),
    "agricultural_mu": _mu("其中农用地", "Agricultural land"),
    "plan": Field("是否符合规划", "According to plan"),
    "source": Field("来源", "Source"),
    "stopped": Field("制止情况", "Stopped"),
    "notice": Field("通知书文号/时间", "Notice, date"),
    "notice_number": Field("通知书文号", "Notice"),
    "notice_on": Field("通知书时间", "Notice of", "date"),
    "reported": Field("报告时间/对象", "Reported on, to"),
    "reported_on": Field("报告时间", "Reported on", "date"),
    "reported_to": Field("向谁报告", "Reported to"),
    "opinion": Field("处理意见", "Opinion"),
    "progress": Field("整改进展", "Progress"),
    "determination": Field("认定情况", "Determination"),
    "correct_by": Field("整改期限", "Correct by", "date"),
    "case_number": Field("立案编号", "Case"),
    "case_on": Field("立案时间", "Case opened on", "date"),
    "closed_on": Field("结案时间", "Closed on", "date"),
    "decision_number": Field("处罚决定编号", "Decision"),
    "demolished_mu": _mu("拆除复耕面积", "Demolished"),
    "regularised_mu": _mu("补办手续面积", "Regularised"),
    "supervised_on": Field("挂牌督办时间", "Listed on", "date"),
    "hidden": Field("本年发生或历年隐漏", "This year or missed before"),
    "remarks": Field("备注", "Remarks"),
    "project": _entered("项目名称", "Project"),
    "project_type": _entered("项目类型", "Type of project"),
    "offence_type": _entered("涉嫌违法类型", "Suspected type"),
    "offence_nature": _entered("涉嫌违法性质", "Suspected nature"),
    "without_case": _entered("非立案处理情况", "Settled without a case"),
    "report_number": _entered("报告文号", "Report no."),
    "fine_ordered": _entered("罚款下达(万元)", "Fine ordered", "number"),
    "fine_paid": _entered("罚款落实(万元)", "Fine paid", "number"),
    "gains_ordered": _entered("没收所得下达(万元)", "Gains ordered", "number"),
    "gains_paid": _entered("没收所得落实(万元)", "Gains paid", "number"),
    "demolition_ordered": _entered("拆除面积下达(m²)", "Demolition ordered", "number"),
    "demolition_done": _entered("拆除面积落实(m²)", "Demolition done", "number"),
    "seizure_ordered": _entered("没收建筑下达(m²)", "Seizure ordered", "number"),
    "seizure_done": _entered("没收建筑落实(m²)", "Seizure done", "number"),
    "return_ordered": _entered("交还土地下达(亩)", "Return ordered", "number"),
    "return_done": _entered("交还土地落实(亩)", "Return done", "number"),
    "discipline_proposed": _entered("党纪政纪建议", "Discipline proposed"),
    "discipline_sent": _entered("党纪政纪移送", "Discipline handed over"),
    "police_proposed": _entered("刑事建议", "Police proposed"),
    "police_sent": _entered("刑事移送", "Police handed over"),
    "court_on": _entered("申请法院强制执行时间", "Applied to court", "date"),
    "reported_up": _entered("上报状态", "Reported up"),
}

SUMMARY: dict[str, Field] = {
    "serial": Field("序号", "No.", "whole"),
    "area": Field("单位", "Area"),
    "due": Field("应报", "Due", "whole"),
    "submitted": Field("实报", "Submitted", "whole"),
    "zero": Field("其中零报告", "Zero reports", "whole"),
    "missing": Field("未报", "Missing", "whole"),
    "missing_names": Field("未报单位", "Missing by name"),
    "late": Field("迟报", "Late", "whole"),
    "patrols": Field("巡查次数", "Patrols", "whole"),
    "opening": Field("上期存量", "Opening stock", "whole"),
    "added": Field("本期新增", "New", "whole"),
    "removed": Field("本期销号", "Signed off", "whole"),
    "closing": Field("期末存量", "Closing stock", "whole"),
    "area_mu": _mu("新增占地面积", "New area"),
    "farmland_mu": _mu("其中耕地", "Farmland"),
    "basic_mu": _mu("其中永久基本农田", "Basic farmland"),
    "stopped": Field("已制止", "Stopped", "whole"),
    "submitted_on": Field("上报时间", "Submitted on", "date"),
    "remarks": Field("备注", "Remarks"),
}

INSPECTION: dict[str, Field] = {
    "serial": Field("序号", "No.", "whole"),
    "number": Field("图斑编号", "Alert"),
    "unit": Field("巡查主体", "Patrolling unit"),
    "people": Field("巡查人员", "People"),
    "region": Field("巡查区域", "Region"),
    "task": Field("巡查任务名称", "Task"),
    "day": Field("巡查时间", "Day", "date"),
    "project": Field("项目名称", "Project"),
    "place": Field("坐落位置", "Place"),
    "project_on": _entered("立项时间", "Project approved on", "date"),
    "project_number": _entered("批文号", "Approval"),
    "siting_on": _entered("规划定点时间", "Sited on", "date"),
    "siting_number": _entered("规划定点文号", "Siting no."),
    "conversion_on": _entered("转征用时间", "Converted on", "date"),
    "conversion_number": _entered("转征用批文号", "Conversion no."),
    "supply_on": _entered("供地时间", "Supplied on", "date"),
    "supply_number": _entered("供地批文号", "Supply no."),
    "approved_use": _entered("批准用途", "Approved use"),
    "use": Field("实际用途", "Use"),
    "approved_mu": _mu("批准面积", "Approved area", False),
    "approved_farmland_mu": _mu("其中耕地", "Farmland", False),
    "began_on": Field("动工时间", "Works began on", "date"),
    "works": Field("建设状况", "State of works"),
    "area_mu": _mu("实际占地面积", "Land taken"),
    "farmland_mu": _mu("其中耕地", "Farmland"),
    "basic_mu": _mu("其中永久基本农田", "Basic farmland"),
    "suspected_mu": _mu("疑似违法面积", "Suspected area"),
    "result": Field("巡查结果", "Result"),
    "opinion": Field("处理意见", "Opinion"),
    "remarks": Field("备注", "Remarks"),
}

COMPARISON: dict[str, Field] = {
    "area": Field("单位", "Area"),
    "kind": Field("类型", "Kind"),
    "found": Field("新增", "New", "whole"),
    "found_last_quarter": Field("上季度", "Last quarter", "whole"),
    "found_last_year": Field("上年同期", "Same quarter last year", "whole"),
    "area_mu": _mu("占地面积", "Area"),
    "farmland_mu": _mu("其中耕地", "Farmland"),
    "basic_mu": _mu("其中永久基本农田", "Basic farmland"),
    "confirmed": Field("认定需整改", "To be corrected", "whole"),
    "false": Field("判为伪变化", "False changes", "whole"),
    "removed": Field("销号", "Signed off", "whole"),
    "closing": Field("期末存量", "Closing stock", "whole"),
    "overdue": Field("逾期", "Overdue", "whole"),
}

LISTED: dict[str, Field] = {
    "serial": Field("序号", "No.", "whole"),
    "number": Field("图斑编号", "Alert"),
    "area": Field("位置", "Area"),
    "area_mu": _mu("占地面积", "Area"),
    "unit": Field("责任单位", "Duty unit"),
    "listed_on": Field("挂牌时间", "Listed on", "date"),
    "due_on": Field("办理期限", "Due on", "date"),
    "state": Field("办理状态", "State"),
    "result": Field("结果", "Result"),
}

DECISION: dict[str, Field] = {
    "serial": Field("序号", "No.", "whole"),
    "meeting_on": Field("会议时间", "Meeting", "date"),
    "what": Field("议定事项", "Decision"),
    "who": Field("责任单位", "Responsible"),
    "due_on": Field("完成时限", "Due on", "date"),
    "state": Field("落实状态", "State"),
    "outcome": Field("落实情况", "Outcome"),
}

SOURCES: dict[str, dict[str, Field]] = {
    "alerts": ALERT,
    "ledger": ALERT,
    "lower_reports": SUMMARY,
    "inspections": INSPECTION,
    "by_township": COMPARISON,
    "by_kind": COMPARISON,
    "listed": LISTED,
    "decisions": DECISION,
}
"""Fields by the kind of rows of a table."""
