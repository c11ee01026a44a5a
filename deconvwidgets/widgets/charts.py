"""A widget with one plotly figure, which is made when there is something to draw, and drawn in a thread of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import ipywidgets
import traitlets

from deconvwidgets.service.rate_limit import RateLimiter
from deconvwidgets.widgets.explorer import Explorer
from deconvwidgets.widgets.messages import Reply, Request, reply_header

_SECONDS = 1.0  # between two drawings of the chart, each of which blocks the page for some 200 ms


class Chart(Protocol):
    """A FigureWidget and how to draw in it."""

    @property
    def figure(self) -> Any:
        """The FigureWidget."""
        ...

    def say_again(self) -> None:
        """Send everything that drawing changes to a new view."""
        ...


class ChartExplorer(Explorer):
    """An explorer with a chart. A subclass implements `_draw_chart`, and calls `_redraw_chart` when the chart's contents change."""

    _limiter: RateLimiter | None = None
    _drawn: Chart | None = None
    _view_is_current = True  # whether the newest view of the chart has got everything
    _chart_closed = False
    # It is made with the first drawing: plotly costs 5 MB of front end and a second or two.
    chart = traitlets.Instance(ipywidgets.DOMWidget, allow_none=True).tag(sync=True, **ipywidgets.widget_serialization)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._limiter = RateLimiter(self._draw_chart, _SECONDS, in_background=True)
        self._redraw_chart()

    def _draw_chart(self) -> None:
        """Draw the chart, and call `_show_chart`. It runs in the thread of the rate limiter."""
        raise NotImplementedError

    @traitlets.observe("state")
    def _state_changed(self, change: Mapping[str, Any]) -> None:
        self._redraw_chart()

    def _redraw_chart(self) -> None:
        """Draw the chart soon. It may be called from any thread, also while the widget is being made or closed."""
        if self._limiter is not None:
            self._limiter.trigger()

    def _answer(self, request: Request) -> Reply:
        if request.kind != "chart":
            return super()._answer(request)
        self._view_is_current = False  # the page has a new view of the figure
        self._redraw_chart()
        return {**reply_header(request), "ok": True}, []

    def _show_chart(self, chart: Chart) -> None:
        """Show a chart that was drawn."""
        self._drawn = chart
        if not self._view_is_current:
            self._view_is_current = True
            chart.say_again()
        if self.chart is None:
            self.chart = chart.figure
        if self._chart_closed:  # the widget was closed meanwhile
            self.chart.close()

    def close(self) -> None:
        """Unsubscribe from the service and remove every view. The service itself goes on."""
        self._chart_closed = True
        if self._limiter is not None:
            self._limiter.close()
        if self._drawn is not None:
            self._drawn.figure.close()
        super().close()
