"""Requests that two readers could take for two things: directly, through HAProxy and through nginx.

Each hides a request for `/smuggled/…` in what is another's body, or in what is no request; none of them may be heard.
"""

from __future__ import annotations

from typing import Any

THROUGH = ("direct", "haproxy", "nginx")
_JSON = b"Content-Type: application/json\r\n"


def _hidden(lab: Any) -> bytes:
    return b"GET /smuggled/%d/x HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\n\r\n" % (
        lab.count, lab.keys["platform"].encode(),
    )  # fmt: skip


def _post(lab: Any, *fields: bytes, line: bytes = b"POST /notes HTTP/1.1", host: bytes = b"Host: x\r\n") -> bytes:
    own = b"Authorization: %s\r\n" % lab.keys["agent"].encode()
    return line + b"\r\n" + host + own + _JSON + b"".join(each + b"\r\n" for each in fields) + b"\r\n"


def _unheard(lab: Any, port: int, request: bytes, late: bytes = b"") -> bytes:
    answer = lab.raw(request, port, late=late)
    assert b"/smuggled/%d/" % lab.count not in lab.audited(), "the hidden request was heard"
    return answer


def cl_te(lab: Any, port: int) -> None:
    body = b"0\r\n\r\n" + _hidden(lab)
    answer = _unheard(lab, port, _post(lab, b"Content-Length: %d" % len(body), b"Transfer-Encoding: chunked") + body)
    assert b" 200 OK" not in answer


def te_cl(lab: Any, port: int) -> None:
    hidden = _hidden(lab)
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(hidden), hidden)
    _unheard(lab, port, _post(lab, b"Transfer-Encoding: chunked", b"Content-Length: 4") + body)


def te_te(lab: Any, port: int) -> None:
    body = b"0\r\n\r\n" + _hidden(lab)
    fields = (b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", b"Content-Length: %d" % len(body))
    _unheard(lab, port, _post(lab, *fields) + body)


def te_hidden_by_space(lab: Any, port: int) -> None:
    body = b"0\r\n\r\n" + _hidden(lab)
    _unheard(lab, port, _post(lab, b"Transfer-Encoding : chunked", b"Content-Length: %d" % len(body)) + body)


def te_hidden_by_tab(lab: Any, port: int) -> None:
    body = b"0\r\n\r\n" + _hidden(lab)
    _unheard(lab, port, _post(lab, b"Transfer-Encoding:\x0bchunked", b"Content-Length: %d" % len(body)) + body)


def te_of_two_codings(lab: Any, port: int) -> None:
    body = b"0\r\n\r\n" + _hidden(lab)
    _unheard(lab, port, _post(lab, b"Transfer-Encoding: gzip, chunked", b"Content-Length: %d" % len(body)) + body)


def te_not_last(lab: Any, port: int) -> None:
    body = b"0\r\n\r\n" + _hidden(lab)
    _unheard(lab, port, _post(lab, b"Transfer-Encoding: chunked, identity", b"Content-Length: %d" % len(body)) + body)


def te_in_obs_fold(lab: Any, port: int) -> None:
    body = b"0\r\n\r\n" + _hidden(lab)
    _unheard(lab, port, _post(lab, b"X: y\r\n Transfer-Encoding: chunked", b"Content-Length: %d" % len(body)) + body)


def te_over_obs_fold(lab: Any, port: int) -> None:
    body = b"0\r\n\r\n" + _hidden(lab)
    _unheard(lab, port, _post(lab, b"Transfer-Encoding:\r\n chunked", b"Content-Length: %d" % len(body)) + body)


def te_with_old_version(lab: Any, port: int) -> None:
    line = b"POST /notes HTTP/1.0"
    body = b"0\r\n\r\n" + _hidden(lab)
    fields = (b"Connection: keep-alive", b"Transfer-Encoding: chunked", b"Content-Length: %d" % len(body))
    _unheard(lab, port, _post(lab, *fields, line=line) + body)


def cl_0(lab: Any, port: int) -> None:
    hidden = _hidden(lab)
    line = b"POST /-/live HTTP/1.1"
    _unheard(lab, port, _post(lab, b"Content-Length: %d" % len(hidden), line=line), hidden)


def cl_on_a_get(lab: Any, port: int) -> None:
    hidden = _hidden(lab)
    line = b"GET /inventory/%s HTTP/1.1" % lab.samples["sku"].encode()
    _unheard(lab, port, _post(lab, b"Content-Length: %d" % len(hidden), line=line) + hidden)


def cl_on_a_head(lab: Any, port: int) -> None:
    hidden = _hidden(lab)
    line = b"HEAD /inventory/%s HTTP/1.1" % lab.samples["sku"].encode()
    _unheard(lab, port, _post(lab, b"Content-Length: %d" % len(hidden), line=line) + hidden)


def two_lengths(lab: Any, port: int) -> None:
    hidden = _hidden(lab)
    _unheard(lab, port, _post(lab, b"Content-Length: 0", b"Content-Length: %d" % len(hidden)) + hidden)


def lengths_in_a_list(lab: Any, port: int) -> None:
    hidden = _hidden(lab)
    _unheard(lab, port, _post(lab, b"Content-Length: 0, %d" % len(hidden)) + hidden)


def signed_length(lab: Any, port: int) -> None:
    hidden = _hidden(lab)
    _unheard(lab, port, _post(lab, b"Content-Length: +%d" % len(hidden)) + hidden)


def negative_length(lab: Any, port: int) -> None:
    _unheard(lab, port, _post(lab, b"Content-Length: -1") + _hidden(lab))


def length_that_wraps(lab: Any, port: int) -> None:
    request = _post(lab, b"Content-Length: 18446744073709551616", b"Connection: close") + _hidden(lab)
    if port == lab.ports["haproxy"]:
        # HAProxy 2.6 takes it for 0, and what follows for one more request of the client's: that isn't past HAProxy.
        assert b" 200 OK" not in lab.raw(request, port)
    else:
        _unheard(lab, port, request)


def length_in_hex(lab: Any, port: int) -> None:
    hidden = _hidden(lab)
    _unheard(lab, port, _post(lab, b"Content-Length: 0x%x" % len(hidden)) + hidden)


def bare_lf_in_the_head(lab: Any, port: int) -> None:
    request = _post(lab, b"Content-Length: 0").replace(b"\r\n", b"\n").replace(b"Content", b"X: y\nContent", 1)
    _unheard(lab, port, request[:-1] + b"X-Hid: 1\n\r\n" + _hidden(lab).replace(b"smuggled", b"other"))


def bare_cr_in_a_field(lab: Any, port: int) -> None:
    body = b"0\r\n\r\n" + _hidden(lab)
    _unheard(lab, port, _post(lab, b"X: y\rTransfer-Encoding: chunked", b"Content-Length: %d" % len(body)) + body)


def nul_in_a_field(lab: Any, port: int) -> None:
    body = b"0\r\n\r\n" + _hidden(lab)
    _unheard(lab, port, _post(lab, b"Transfer-Encoding: \0chunked", b"Content-Length: %d" % len(body)) + body)


def chunk_size_that_wraps(lab: Any, port: int) -> None:
    body = b"10000000000000000\r\n" + b"{" * 16 + b"\r\n0\r\n\r\n" + _hidden(lab)
    _unheard(lab, port, _post(lab, b"Transfer-Encoding: chunked") + body)


def chunk_size_signed(lab: Any, port: int) -> None:
    _unheard(lab, port, _post(lab, b"Transfer-Encoding: chunked") + b"-1\r\n{}\r\n0\r\n\r\n" + _hidden(lab))


def chunk_size_with_prefix(lab: Any, port: int) -> None:
    _unheard(lab, port, _post(lab, b"Transfer-Encoding: chunked") + b"0x2\r\n{}\r\n0\r\n\r\n" + _hidden(lab))


def chunk_extension_with_lf(lab: Any, port: int) -> None:
    hidden = _hidden(lab)
    body = b"2;\n" + b"{}\r\n%x\r\n" % len(hidden) + hidden + b"\r\n0\r\n\r\n"
    _unheard(lab, port, _post(lab, b"Transfer-Encoding: chunked") + body)


def chunk_without_its_end(lab: Any, port: int) -> None:
    hidden = _hidden(lab)
    body = b"2\r\n{}XX%x\r\n" % len(hidden) + hidden + b"0\r\n\r\n"
    _unheard(lab, port, _post(lab, b"Transfer-Encoding: chunked") + body)


def trailers_that_are_headers(lab: Any, port: int) -> None:
    trailer = b"2\r\n{}\r\n0\r\nContent-Length: 900\r\nAuthorization: %s\r\n\r\n" % lab.keys["platform"].encode()
    request = _post(lab, b"Transfer-Encoding: chunked").replace(lab.keys["agent"].encode(), b"Bearer wrong")
    answer = _unheard(lab, port, request + trailer)
    assert b" 200 OK" not in answer


def upgrade_to_h2c(lab: Any, port: int) -> None:
    hidden = _hidden(lab)
    fields = (b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA")
    answer = _unheard(lab, port, _post(lab, *fields, b"Content-Length: %d" % len(hidden)) + hidden)
    assert b" 101 " not in answer


def upgrade_to_websocket(lab: Any, port: int) -> None:
    hidden = _hidden(lab)
    fields = (b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 777")
    answer = _unheard(lab, port, _post(lab, *fields, b"Content-Length: %d" % len(hidden)) + hidden)
    assert b" 101 " not in answer


def h2_preface(lab: Any, port: int) -> None:
    answer = _unheard(lab, port, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0" + _hidden(lab))
    assert b" 200 OK" not in answer


def expectation_and_no_wait(lab: Any, port: int) -> None:
    hidden = _hidden(lab)
    _unheard(lab, port, _post(lab, b"Expect: 100-continue", b"Content-Length: %d" % len(hidden)) + hidden)


def unknown_expectation(lab: Any, port: int) -> None:
    hidden = _hidden(lab)
    _unheard(lab, port, _post(lab, b"Expect: 200-ok", b"Content-Length: %d" % len(hidden)) + hidden)


def length_named_by_connection(lab: Any, port: int) -> None:
    hidden = _hidden(lab)
    _unheard(lab, port, _post(lab, b"Connection: Content-Length", b"Content-Length: %d" % len(hidden)) + hidden)


def absolute_form_and_host(lab: Any, port: int) -> None:
    line = b"GET http://elsewhere.example/inventory?limit=1 HTTP/1.1"
    answer = lab.raw(_post(lab, b"Connection: close", line=line), port)
    assert b"elsewhere" not in answer


def two_hosts(lab: Any, port: int) -> None:
    line = b"GET /inventory?limit=1 HTTP/1.1"
    answer = lab.raw(_post(lab, b"Host: elsewhere.example", b"Connection: close", line=line), port)
    assert b" 400 " in answer
    assert b"elsewhere" not in answer


def no_host(lab: Any, port: int) -> None:
    line = b"GET /inventory?limit=1 HTTP/1.1"
    assert b" 200 OK" not in lab.raw(_post(lab, b"Connection: close", line=line, host=b""), port)


def early_close(lab: Any, port: int) -> None:
    lab.raw(_post(lab, b"Content-Length: 40") + b'{"sku": "EARLY"', port, patience=0.01)
    lab.mark()
    journal = lab.gateway.folder / "journal.txt"
    assert not journal.exists() or "EARLY" not in journal.read_text()


def queue_of_answers(lab: Any, port: int) -> None:
    sku = lab.samples["sku"].encode()
    one = b"GET /inventory/%s HTTP/1.1\r\nHost: x\r\nAuthorization: %s\r\n\r\n" % (sku, lab.keys["agent"].encode())
    answer = lab.raw(one * 20 + one.replace(b"Host", b"Connection: close\r\nHost"), port, patience=2)
    assert answer.count(b" 200 OK") == answer.count(b'"sku":"' + sku) == 21
