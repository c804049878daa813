"""Payloads in every text that strangers or models write: shown as text, never run, never fetched."""

from playwright.sync_api import expect

from feedback.models import Response
from tests.example import example_project, example_rounds

PAYLOADS = [
    "<script>window.hurt = 1</script>",
    "<img src=x onerror='window.hurt = 1'>",
    "<svg/onload=window.hurt=1>",
    "<iframe srcdoc='<script>parent.hurt=1</script>'></iframe>",
    "[press](javascript:window.hurt=1)",
    "![pixel](https://spy.example/pixel.png)",
    "<a href='javascript:window.hurt=1' autofocus onfocus='window.hurt=1'>x</a>",
    "<form action=/logout/ method=post><button>Submit</button></form>",
    '"><script>window.hurt = 1</script><p class="',
    "{{ constructor.constructor('window.hurt=1')() }} {% debug %}",
    "<div hx-get='/' hx-trigger='load' hx-on:htmx:load='window.hurt=1'>x</div>",
    "</textarea></title></style><script>window.hurt = 1</script>",
]
ALL = "\n\n".join(PAYLOADS)


def test_nothing_that_strangers_wrote_runs(visit):
    example = example_project(name="<script>window.hurt=1</script>", n_tasks=2)
    project = example.project
    project.description = ALL[:2_000]
    project.save()
    project.protocols.update(guidelines=ALL)
    for task in example.tasks:
        task.prompt.messages = [{"role": "system", "content": ALL}, {"role": "user", "content": ALL}]
        task.prompt.save()
        for number, item in enumerate(task.items.order_by("item")):
            Response.objects.filter(pk=item.response_id).update(text=f"{number} {ALL}")
    round_ = example_rounds(example)
    round_.error = ALL
    round_.save()

    for username, paths in {
        "annie": ["/", "/projects/{}/", "/projects/{}/label/"],
        "ada": ["/projects/{}/prompts/", "/projects/{}/settings/", "/projects/{}/rounds/1/", "/projects/{}/data/"],
    }.items():
        visitor = visit(username)
        asked: list[str] = []
        visitor.page.on("request", lambda request, asked=asked: asked.append(request.url))
        for path in paths:
            page = visitor.go(path.format(project.pk))
            if path.endswith("label/"):
                page.click("text=Start")
                expect(page.locator("#comparison h1")).to_be_focused()
                assert "<script>window.hurt = 1</script>" in page.locator(".turns").inner_text()
            page.wait_for_timeout(100)
            assert page.evaluate("window.hurt") is None, path
            assert page.locator("main script, main iframe, main img, main [onerror], main [onload]").count() == 0, path
            assert page.locator(".prose form, .prose [hx-get], .prose a").count() == 0, path
        assert [url for url in asked if not url.startswith(visitor.root)] == []
        assert visitor.complaints == []
