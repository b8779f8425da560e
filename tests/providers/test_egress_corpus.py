"""Every way to write an inner address that we know of is refused, and ordinary addresses are not."""

from __future__ import annotations

import ipaddress

import pytest

from engine.ports import Rejected
from integrations.addresses import why_not_public
from integrations.egress import AllowList, Deadline, Network, check_url, resolve


def _spelled(text: str) -> list[str]:
    return text.split()


REFUSED_ADDRESSES = _spelled("""
0.0.0.0 0.0.0.1 0.255.255.255 10.0.0.0 10.0.0.1 10.255.255.255 100.64.0.1 100.100.100.200 100.127.255.255 127.0.0.1
127.0.0.53 127.1.2.3 127.255.255.255 168.63.129.16 169.254.0.1 169.254.169.254 169.254.170.2 172.16.0.1 172.17.0.1
172.31.255.255 192.0.0.1 192.0.0.8 192.0.0.170 192.0.0.192 192.0.2.1 192.88.99.1 192.168.0.1 192.168.255.255 198.18.0.1
198.19.255.255 198.51.100.1 203.0.113.9 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255
:: ::1 ::2 ::127.0.0.1 ::10.0.0.1 ::8.8.8.8 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:0.0.0.0
::ffff:0:127.0.0.1 64:ff9b::127.0.0.1 64:ff9b::10.0.0.1 64:ff9b::169.254.169.254 64:ff9b::168.63.129.16 64:ff9b:1::1
64:ff9b:1::10.0.0.1 100::1 2001::1 2001:0:53aa:64c:0:fbfe:f5ff:fffe 2001:2::1 2001:10::1 2001:20::1 2001:db8::1
2002:7f00:1::1 2002:a00:1::1 2002:a9fe:a9fe::1 2002:808:808::1 3ffe::1 3fff::1 3fff:fff:ffff::1 4000::1 5f00::1 5fff::1
fc00::1 fd00::1 fd00:ec2::254 fd20:ce::254 fe80::1 fe80::a9fe:a9fe febf::1 fec0::1 feff::1 ff01::1 ff02::1 ff05::1
ff0e::1 2606:4700::5efe:10.0.0.1 2606:4700::200:5efe:8.8.8.8 fe80::5efe:10.0.0.1 fe80::1%eth0 2606:4700::1%eth0
""")

PUBLIC_ADDRESSES = _spelled("""
1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.1 93.184.215.14 100.63.255.255 100.128.0.1 126.255.255.255 128.0.0.1 168.63.129.15
169.253.255.255 169.255.0.1 172.15.255.255 172.32.0.1 192.0.1.1 192.167.255.255 192.169.0.1 198.17.255.255 198.20.0.1
223.255.255.255 2606:4700:4700::1111 2001:4860:4860::8888 2a00:1450:4001::1 2620:fe::fe 64:ff9b::8.8.8.8 ::ffff:8.8.8.8
""")

REFUSED_URLS = [
    # Loopback and private networks, and every other spelling of them.
    "http://127.0.0.1/", "http://127.0.0.1:80/", "https://127.0.0.1:443/", "http://127.1/", "http://127.0.1/",
    "http://127.000.000.1/", "http://0177.0.0.1/", "http://0177.0.0.01/", "http://0x7f.0.0.1/", "http://0x7f.1/",
    "http://0x7f000001/", "http://0X7F000001/", "http://0x7f.0x0.0x0.0x1/", "http://2130706433/",
    "http://017700000001/", "http://0/", "http://0.0.0.0/", "http://0x0/", "http://1/", "http://127.0.0.1./",
    "http://127.1./", "http://2130706433./", "http://0x7f.1./", "http://256.256.256.256/", "http://127.0.0.256/",
    "http://①②⑦.0.0.1/", "http://１２７.0.0.1/", "http://127。0。0。1/", "http://127．0．0．1/", "http://127｡0｡0｡1/",
    "http://⑯⑨.②⑤④.169.254/", "http://10.0.0.1/", "http://10.1/", "http://167772161/", "http://012.0.0.1/",
    "http://172.16.0.1/", "http://192.168.1.1/", "http://192.168.257/", "http://3232235777/", "http://0xc0a80101/",
    "http://100.64.0.1/", "http://169.254.169.254/", "http://169.254.169.254/latest/meta-data/",
    "http://2852039166/", "http://0xa9fea9fe/", "http://0251.0376.0251.0376/", "http://0xa9.0xfe.0xa9.0xfe/",
    "http://169.254.43518/", "http://169.16689662/", "http://169.254.169.254./", "http://168.63.129.16/",
    "http://224.0.0.1/", "http://255.255.255.255/", "http://192.0.0.192/", "http://127.0.0.1.0x7f/",
    "http://[::1]/", "http://[::]/", "http://[0:0:0:0:0:0:0:1]/", "http://[0000::0001]/",
    "http://[::ffff:127.0.0.1]/", "http://[::ffff:7f00:1]/", "http://[::ffff:a9fe:a9fe]/", "http://[::127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/", "http://[64:ff9b::169.254.169.254]/", "http://[2002:7f00:1::]/",
    "http://[fe80::1]/", "http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/", "http://[fc00::1]/",
    "http://[fd00:ec2::254]/", "http://[fec0::1]/", "http://[ff02::1]/", "http://[3fff::1]/", "http://[5f00::1]/",
    "http://[::1", "http://::1/", "http://[::1]x/", "http://[v1.fe80::1]/",
    # Names of this machine, this network, and the clouds' metadata.
    "http://localhost/", "http://LOCALHOST/", "http://localhost./", "http://a.localhost/",
    "http://localhost.localdomain/", "http://ip6-localhost/", "http://metadata/",
    "http://metadata.google.internal/", "http://metadata.google.internal./", "http://instance-data.ec2.internal/",
    "http://redis/", "http://postgres:80/", "http://router.lan/", "http://nas.local/", "http://app.intranet/",
    "http://x.home.arpa/", "http://kubernetes.default.svc.cluster.local/", "http://ｌocalhost/",
    # User names, passwords, and confusion about where the host is.
    "http://user@example.com/", "http://user:secret@example.com/", "http://example.com@127.0.0.1/",
    "http://127.0.0.1@example.com/", "http://example.com:80@127.0.0.1/", "http://@example.com:x@127.0.0.1/",
    "http://example.com\\@127.0.0.1/", "http://127.0.0.1\\.example.com/", "http://127.0.0.1%00.example.com/",
    "http://127.0.0.1%2f.example.com/", "http://%31%32%37.0.0.1/", "http://127.0.0.1%20/", "http://exa mple.com/",
    "http://example.com /", "http://a..example.com/", "http://.example.com/", "http://example..com/",
    "http://-a.example.com/", "http://example.com,evil.com/", "http://[example.com]/", "http://exam\tple.com/",
    "http://example.com\r\nHost: x/", "http://exa\x00mple.com/", "http://example.com./",
    # Schemes.
    "ftp://example.com/", "file:///etc/passwd", "gopher://127.0.0.1:6379/_x", "dict://example.com/",
    "ldap://example.com/", "javascript:alert(1)", "data:text/plain,x", "ws://example.com/", "wss://example.com/",
    "unix:///var/run/docker.sock", "jar:http://example.com!/", "//example.com/", "example.com", "/path", "",
    " http://example.com/", "http:example.com", "http:/example.com", "http://", "https:///path", "http://?x",
    "http://:80/", "httpx://example.com/",
    # Ports.
    "http://example.com:22/", "http://example.com:25/", "http://example.com:6379/", "http://example.com:8080/",
    "http://example.com:0/", "http://example.com:65536/", "http://example.com:-80/",
    "http://example.com:99999999999/", "http://example.com:abc/", "https://example.com:8443/",
    "http://1.1.1.1:53/",
]  # fmt: skip

ACCEPTED_URLS = [
    "http://example.com/", "https://example.com", "HTTPS://EXAMPLE.COM/", "https://example.com:443/x?y=1#z",
    "http://example.com:80", "https://api.example.co.uk/v1/items?next=http://127.0.0.1/",
    "https://xn--mnchen-3ya.de/", "https://münchen.de/", "https://a_b.example.com/", "https://1password.com/",
    "https://3.example.com/", "https://0x7f.example.com/", "https://8.8.8.8/", "https://[2606:4700:4700::1111]/",
    "https://localhost.example.com/", "https://127.0.0.1.nip.io/", "https://example.com/@127.0.0.1",
    "https://example.com/?u=a@b",
    "http://example.com#@127.0.0.1:22\\",  # One parser reads it, checks it and sends it: the host is example.com.
]  # fmt: skip


@pytest.fixture(autouse=True)
def nothing_permitted(settings) -> None:
    settings.EGRESS_ALLOW = []


@pytest.mark.parametrize("spelled", REFUSED_ADDRESSES)
def test_inner_address_is_refused(spelled: str) -> None:
    assert why_not_public(ipaddress.ip_address(spelled))


@pytest.mark.parametrize("spelled", PUBLIC_ADDRESSES)
def test_public_address_is_not_refused(spelled: str) -> None:
    assert why_not_public(ipaddress.ip_address(spelled)) is None


@pytest.mark.parametrize("url", REFUSED_URLS)
def test_url_is_refused_with_its_rule_and_the_setting(url: str) -> None:
    with pytest.raises(Rejected, match="AUTERITY_EGRESS_ALLOW") as refused:
        check_url(url)
    assert refused.value.details["rule"].startswith("egress.")
    assert "secret" not in refused.value.message


@pytest.mark.parametrize("url", ACCEPTED_URLS)
def test_url_is_accepted(url: str) -> None:
    check_url(url)


@pytest.mark.parametrize("spelled", [each for each in REFUSED_ADDRESSES if "%" not in each])
def test_name_that_resolves_to_an_inner_address_is_refused(spelled: str) -> None:
    network = Network(lookup=lambda host, port: ["93.184.215.14", spelled])
    with pytest.raises(Rejected) as refused:
        resolve("innocent.example.com", 443, Deadline(2), network=network)
    assert refused.value.details == {"rule": "egress.address"}


def test_corpus_is_large_enough() -> None:
    assert len(set(REFUSED_URLS)) >= 150
    assert len(REFUSED_URLS) == len(set(REFUSED_URLS))


@pytest.mark.parametrize(
    ("entry", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:5000/"),
        ("127.0.0.1:5000", "http://127.0.0.1:5000/"),
        ("10.0.0.0/8", "https://10.1.2.3:8443/"),
        ("::1", "http://[::1]:9000/"),
        ("[::1]:9000", "http://[::1]:9000/"),
        ("ollama", "http://ollama:11434/v1"),
        ("ollama:11434", "http://ollama:11434/v1"),
        ("Nas.Local", "http://nas.local/"),
        ("example.com:8443", "https://example.com:8443/"),
    ],
)
def test_permitted_url_is_accepted(settings, entry: str, url: str) -> None:
    settings.EGRESS_ALLOW = [entry]
    check_url(url)


@pytest.mark.parametrize(
    ("entry", "url"),
    [
        ("127.0.0.1", "http://127.0.0.2/"),
        ("127.0.0.1:5000", "http://127.0.0.1:5001/"),
        ("127.0.0.1", "http://2130706433/"),
        ("10.0.0.0/8", "http://[::ffff:10.0.0.1]/"),
        ("ollama:11434", "http://ollama:22/"),
        ("example.com", "http://user@example.com/"),
        ("example.com", "ftp://example.com/"),
    ],
)
def test_permission_covers_no_more_than_it_says(settings, entry: str, url: str) -> None:
    settings.EGRESS_ALLOW = [entry]
    with pytest.raises(Rejected):
        check_url(url)


@pytest.mark.parametrize("entry", ["http://x/", "a b", "10.0.0.0/99", "1.2.3", "x:y:z", "", "0x7f.1"])
def test_unreadable_permission_is_an_error(entry: str) -> None:
    with pytest.raises(ValueError, match="is not a host"):
        AllowList.parse([entry])
