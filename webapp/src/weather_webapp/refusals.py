"""Every answer that is not what was asked for, in the form and language of who asked."""

import json
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web

from weather_webapp.answers import UNSHARED, form_for, language_for
from weather_webapp.faults import FaultInjectedError
from weather_webapp.negotiation import VARY, Form
from weather_webapp.parts import NOW, PAGES, SETTINGS, WORDS
from weather_webapp.problems import Problem
from weather_webapp.wishes import Wish

log = logging.getLogger(__name__)

KEYS = {404: "not-found", 405: "method"}


@web.middleware
async def explain(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer problems in words, and a fault of ours with its trace in the log only."""
    headers = {}
    try:
        return await handler(request)
    except Problem as error:
        problem = error
    except FaultInjectedError:
        problem = Problem(500, "fault-injected")
    except web.HTTPException as error:
        if error.status < 400:
            raise
        problem = Problem(error.status, KEYS.get(error.status, "refused"))
        headers = {name: error.headers[name] for name in ("Allow",) if name in error.headers}
    except Exception:
        log.exception("request failed", extra={"path": request.path})
        problem = Problem(500, "failed")
    answer = _answer(request, problem)
    answer.headers.update({**headers, "Cache-Control": UNSHARED, "Vary": VARY})
    return answer


def _answer(request: web.Request, problem: Problem) -> web.Response:
    app, form, language = request.app, form_for(request), language_for(request)
    words = app[WORDS][language]
    text = words.text(f"problem.{problem.key}", **problem.values)
    if form is Form.JSON:
        body = {
            "type": "about:blank",
            "title": HTTPStatus(problem.status).phrase,
            "status": problem.status,
            "detail": text,
            "suggestions": problem.suggestions,
        }
        return web.Response(
            status=problem.status,
            text=json.dumps(body, ensure_ascii=False) + "\n",
            content_type="application/problem+json",
        )
    if form is Form.HTML:
        wish = Wish(city="", units=app[SETTINGS].units, language=language)
        page = app[PAGES].notice(text, problem.suggestions, wish, words, app[NOW]())
        return web.Response(status=problem.status, text=page, content_type="text/html")
    if problem.suggestions:
        text += f". {words.text('problem.suggestions')}: {'; '.join(problem.suggestions)}"
    return web.Response(status=problem.status, text=f"{text}\n")
