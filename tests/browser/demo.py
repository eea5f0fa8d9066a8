"""A small shop as it might run anywhere: four services, five hosts, a day and the same day a week
before, a deploy in which one function grows. For the overview, for pictures, and for looking.

    python -m tests.browser.demo     # serves it, and says where
"""

import math
import tempfile
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from profiler.model import CPU, OFF_CPU, Drain, Frame, Kind, Profile, ProfileBuilder, ProfileType

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
STEP = HOUR
"""A profile each; collectors send 360 times as many."""
DAY = 24 * HOUR
WEEK = 7 * DAY
END = 1_767_873_600 * SECOND
"""2026-01-08T12:00:00Z"""
START = END - DAY
DEPLOYED = END - 6 * HOUR
PERIOD_NS = 10_101_010
"""99 Hz"""
FAULTS = ProfileType("page_faults", "count")

GROWN = "json::Writer::escape(std::string_view)"
"""The function that grows with checkout's new version, from 2 to 9 of some 100."""
GROWTH = 7


@dataclass(frozen=True, slots=True)
class Service:
    """Stacks as an indented text, threads first, with weights where samples end:
    `function|file|line`, of another binary `function@binary`, `k:` kernel, `py:` Python."""

    name: str
    hosts: tuple[str, ...]
    cores: float
    binary: str
    stacks: str
    versions: tuple[str, str] = ("", "")
    grows: str = ""
    """What weighs more in the second version."""


CHECKOUT = """
checkout
 main|main.cc|31
  Server::run()|server.cc|88
   Cart::total(Rates const&) const|cart.cc|142
    Rates::lookup(Currency)|rates.cc|57 16
    Rates::lookup(Currency)|rates.cc|61
     std::__hash_bytes@libstdc++.so.6 7
   Cart::total(Rates const&) const|cart.cc|149
    Tax::of(Item const&)|tax.cc|23 9
  Server::run()|server.cc|91
   Reply::write(Cart const&)|reply.cc|64
    json::Writer::object(Cart const&)|json.cc|210 8
    json::Writer::object(Cart const&)|json.cc|214
     json::Writer::escape(std::string_view)|json.cc|77 2
   Reply::write(Cart const&)|reply.cc|70
    __GI___writev@libc.so.6
     k:entry_SYSCALL_64
      k:do_writev
       k:sock_write_iter
        k:tcp_sendmsg
         k:tcp_write_xmit 9
  Server::run()|server.cc|80
   __GI___read@libc.so.6
    k:entry_SYSCALL_64
     k:ksys_read
      k:sock_read_iter
       k:tcp_recvmsg
        k:copy_to_user 6
  Server::run()|server.cc|84
   Request::parse(Bytes)|request.cc|38
    http::Headers::read(Bytes&)|headers.cc|112
     memchr@libc.so.6 5
   Request::parse(Bytes)|request.cc|44
    json::Reader::value()|json.cc|31
     json::Reader::value()|json.cc|52
      json::Reader::string()|json.cc|90 8
stock-sync
 main|main.cc|40
  Stock::refresh()|stock.cc|18
   pg::Connection::query(char const*)|pg.cc|75
    PQexec@libpq.so.5
     pqReadData@libpq.so.5
      __GI___recv@libc.so.6
       k:entry_SYSCALL_64
        k:__sys_recvfrom
         k:tcp_recvmsg 5
  Stock::refresh()|stock.cc|25
   operator new@libstdc++.so.6
    malloc@libc.so.6
     _int_malloc@libc.so.6 4
 [unknown] libpay.so+0x1a2c@libpay.so 2
 [truncated: no unwind row]
  crc32_fold@libz.so.1 1
"""

CATALOG = """
gunicorn
 py:<module>|/srv/catalog/app.py|9
  py:handle|/srv/catalog/server.py|51
   py:list_products|/srv/catalog/views.py|24
    py:render|/srv/catalog/templates.py|77
     py:_escape|/srv/catalog/templates.py|19 18
    py:render|/srv/catalog/templates.py|81
     py:format_price|/srv/catalog/money.py|12 11
   py:list_products|/srv/catalog/views.py|20
    py:fetch_all|/srv/catalog/db.py|40
     py:rows|/srv/catalog/db.py|63
      _PyEval_EvalFrameDefault@python3.13
       PyObject_GetAttr@python3.13 9
  py:handle|/srv/catalog/server.py|58
   py:dumps|/usr/lib/python3.13/json/__init__.py|231
    py:encode|/usr/lib/python3.13/json/encoder.py|200
     py:iterencode|/usr/lib/python3.13/json/encoder.py|261 14
  py:handle|/srv/catalog/server.py|47
   py:thumbnail|/srv/catalog/images.py|33
    ImagingResample@_imaging.so
     ImagingResampleHorizontal_8bpc@_imaging.so 12
 gc_collect_main@python3.13
  deduce_unreachable@python3.13
   visit_decref@python3.13 6
"""

GATEWAY = """
nginx
 main|nginx.c|383
  ngx_worker_process_cycle|ngx_process_cycle.c|742
   ngx_epoll_process_events|ngx_epoll_module.c|802
    k:entry_SYSCALL_64
     k:do_epoll_wait
      k:ep_poll
       k:schedule 9
   ngx_http_process_request_line|ngx_http_request.c|1104
    ngx_http_parse_header_line|ngx_http_parse.c|961 7
   ngx_http_upstream_send|ngx_http_upstream.c|2190
    SSL_write@libssl.so.3
     tls13_enc@libssl.so.3
      aes_gcm_enc_512@libcrypto.so.3 13
   ngx_http_gzip_body_filter|ngx_http_gzip_filter.c|395
    deflate@libz.so.1
     longest_match@libz.so.1 8
"""

SEARCH = """
searchd
 main|main.rs|12
  search::serve|serve.rs|70
   search::index::Segment::postings|segment.rs|210
    search::codec::unpack_block|codec.rs|88 21
   search::rank::bm25|rank.rs|41 12
  search::serve|serve.rs|76
   search::rank::Heap::push|rank.rs|97
    core::cmp::PartialOrd::lt|cmp.rs|1201 6
merger
 main|main.rs|20
  search::merge::run|merge.rs|33
   search::codec::pack_block|codec.rs|130 8
"""

SERVICES = (
    Service(
        "checkout",
        ("shop-1", "shop-2", "shop-3"),
        5.2,
        "/usr/bin/checkout",
        CHECKOUT,
        ("1.3.9", "1.4.0"),
        GROWN,
    ),
    Service("catalog", ("shop-1", "shop-2"), 3.1, "/usr/bin/python3.13", CATALOG),
    Service("search", ("find-1",), 2.4, "/usr/bin/searchd", SEARCH, ("0.18", "0.19")),
    Service("gateway", ("edge-1", "shop-3"), 1.3, "/usr/sbin/nginx", GATEWAY),
)

WAITS = """
checkout
 main|main.cc|31
  Server::run()|server.cc|80
   epoll_wait@libc.so.6
    k:do_epoll_wait
     k:ep_poll
      k:schedule 60
  Server::run()|server.cc|88
   Rates::lookup(Currency)|rates.cc|50
    pthread_mutex_lock@libc.so.6
     k:futex_wait
      k:schedule 7
stock-sync
 main|main.cc|40
  Stock::refresh()|stock.cc|18
   pg::Connection::query(char const*)|pg.cc|75
    PQexec@libpq.so.5
     __GI___poll@libc.so.6
      k:do_sys_poll
       k:schedule 25
"""

TOUCHES = """
checkout
 main|main.cc|31
  Server::run()|server.cc|84
   Request::parse(Bytes)|request.cc|38
    memmove@libc.so.6
     k:asm_exc_page_fault 31
stock-sync
 main|main.cc|40
  Stock::refresh()|stock.cc|25
   operator new@libstdc++.so.6
    malloc@libc.so.6
     k:asm_exc_page_fault 12
"""


def _frame(text: str, service: Service) -> Frame:
    if text.startswith("k:"):
        return Frame(text[2:], binary="[kernel]", address=_address(text), kind=Kind.KERNEL)
    if text.startswith("py:"):
        function, file, line = text[3:].split("|")
        return Frame(function, file, int(line), service.binary, kind=Kind.PYTHON)
    if text.startswith("[truncated"):
        return Frame(text, kind=Kind.MARKER)
    name, _, place = text.partition("|")
    name, _, library = name.partition("@")
    file, _, line = place.partition("|")
    binary = f"/usr/lib/{library}" if library else service.binary
    build = f"{_address(binary) * 0x9E3779B97F4A7C15 % 2**64:016x}"
    source = f"/src/{service.name}/{file}" if file else ""
    return Frame(name, source, int(line or 0), binary, build, _address(name))


def _stacks(text: str) -> Iterator[tuple[list[str], int]]:
    path: list[str] = []
    for line in text.strip().splitlines():
        names = line.lstrip(" ")
        name, _, weight = names.rpartition(" ")
        ends = weight.isdecimal()
        path[len(line) - len(names) :] = [name if ends else names]
        if ends:
            yield list(path), int(weight)


def _address(name: str) -> int:
    """As if it lay somewhere: the same wherever it is named."""
    return 0x1000 + 16 * (zlib.crc32(name.encode()) % 2**20)


def _load(service: Service, host: str, start_ns: int) -> float:
    """Busier by day, a little of its own beside."""
    hour = start_ns / HOUR + ord(host[-1]) / 4
    daily = 1 + 0.45 * math.sin((hour - 9) / 24 * math.tau)
    return daily * (1 + 0.08 * math.sin(hour * (2 + len(service.name))))


def _profile(
    service: Service,
    host: str,
    start_ns: int,
    stacks: str,
    type: ProfileType = CPU,
    period: int = PERIOD_NS,
) -> Profile:
    busy = service.cores / len(service.hosts) * STEP / PERIOD_NS / 100
    new = start_ns >= DEPLOYED
    builder = ProfileBuilder()
    for (thread, *names), weight in _stacks(stacks):
        grown = new and names[-1].partition("|")[0] == service.grows
        stack = (Frame(thread, kind=Kind.THREAD), *(_frame(name, service) for name in names))
        samples = round((weight + GROWTH * grown) * busy * _load(service, host, start_ns))
        builder.add(stack, samples, samples * period)
    version = service.versions[new]
    labels = {"host_name": host, "service_name": service.name, "service_version": version}
    kept = tuple((name, value) for name, value in labels.items() if value)
    return builder.build(type, period=period, labels=kept)


def _drains(start_ns: int) -> Iterator[Drain]:
    hosts = sorted({host for service in SERVICES for host in service.hosts})
    for host in hosts:
        profiles = [
            _profile(service, host, start_ns, service.stacks)
            for service in SERVICES
            if host in service.hosts
        ]
        lost = 34 if host == "shop-2" and start_ns == DEPLOYED else 0
        taken = sum(profile.total_samples for profile in profiles) + lost
        losses = {"ring_full": lost} if lost else {}
        yield Drain(host, start_ns, STEP, taken, losses, tuple(profiles))
        if host in SERVICES[0].hosts:
            for type, stacks, period in ((OFF_CPU, WAITS, 8_000_000), (FAULTS, TOUCHES, 1)):
                found = _profile(SERVICES[0], host, start_ns, stacks, type, period)
                yield Drain(host, start_ns, STEP, found.total_samples, {}, (found,), type)


def drains() -> Iterator[Drain]:
    """In the order of time."""
    for first in (START - WEEK, START):
        for start_ns in range(first, first + DAY, STEP):
            yield from _drains(start_ns)


def main() -> None:
    from tests.browser.served import serving

    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as served:
        served.ingest(drains())
        print(f"{served.origin}/?from=2026-01-07T12:00:00Z&to=2026-01-08T12:00:00Z", flush=True)
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    main()
