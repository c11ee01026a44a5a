"""A widget with one plotly figure, which is made when there is something to draw, and drawn on a thread of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import ipywidgets
import traitlets

from deconvwidgets.widgets.messages import Answer, echo
from deconvwidgets.widgets.rate_limit import Throttle
from deconvwidgets.widgets.service_widget import ServiceWidget

_SECONDS = 1.0  # between two drawings of the chart, which hold up a page for some 200 ms each


class Chart(Protocol):
    """A FigureWidget and what is drawn in it."""

    @property
    def figure(self) -> Any:
        """The FigureWidget."""
        ...

    def say_again(self) -> None:
        """Tell a new view everything."""
        ...


class ChartingWidget(ServiceWidget):
    """The widget says what is drawn, in `_draw_chart`, and calls `_begin_charting` when it is made."""

    _throttle: Throttle | None = None
    _drawn: Chart | None = None
    _said = True  # whether the newest view of the chart was told everything
    _closed = False
    # Made with the first drawing: plotly costs 5 MB of front end and a second or two.
    chart = traitlets.Instance(ipywidgets.DOMWidget, allow_none=True).tag(sync=True, **ipywidgets.widget_serialization)

    def _draw_chart(self) -> None:
        """Draw, and `_show_chart`; on the throttle's thread."""
        raise NotImplementedError

    def _begin_charting(self) -> None:
        self._throttle = Throttle(self._draw_chart, _SECONDS)
        self._throttle.ask()

    def _redraw_chart(self) -> None:
        """Soon; called from any thread, also while the widget is being made or closed."""
        if self._throttle is not None:
            self._throttle.ask()

    def _chart_stands(self, request: Mapping[str, Any]) -> Answer:
        """A view has a new view of the figure."""
        self._said = False
        self._redraw_chart()
        return {**echo(request), "ok": True}, []

    def _show_chart(self, chart: Chart) -> None:
        """Put what was just drawn on the page."""
        self._drawn = chart
        if not self._said:
            self._said = True
            chart.say_again()
        if self.chart is None:
            self.chart = chart.figure
        if self._closed:  # meanwhile
            self.chart.close()

    def close(self) -> None:
        """Leave the service and remove every view. The service itself goes on."""
        self._closed = True
        if self._throttle is not None:
            self._throttle.close()
        if self._drawn is not None:
            self._drawn.figure.close()
        super().close()
