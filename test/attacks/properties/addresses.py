# python3 test/attacks/properties/addresses.py: writes addresses.json, what Python's ipaddress says of addresses at and around every edge of the
# special-purpose ranges. It is the second opinion of egress.spec.ts, made by others than the parser of the product.
import ipaddress
import json
import pathlib
import random

EDGES = """0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 192.168.0.0/16
198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 255.255.255.255/32 ::/128 ::1/128 ::/96 ::ffff:0:0/96 64:ff9b::/96 64:ff9b:1::/48
100::/64 2001::/23 2001::/32 2001:2::/48 2001:db8::/32 2001:10::/28 2001:20::/28 2002::/16 3fff::/20 5f00::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8""".split()
random.seed(5)


def around(text):
    network = ipaddress.ip_network(text)
    first, last = int(network.network_address), int(network.broadcast_address)
    kind = type(network.network_address)
    most = 2**network.max_prefixlen - 1
    numbers = {first, last, max(0, first - 1), min(most, last + 1), *(random.randint(first, last) for _ in range(6))}
    return [kind(number) for number in numbers]


def carried(address):
    """Forms of IPv6 that carry an IPv4 address."""
    number = int(address)
    for base in ("::ffff:0:0", "::", "64:ff9b::", "64:ff9b:1::", "::ffff:0:0:0"):
        yield ipaddress.IPv6Address(int(ipaddress.IPv6Address(base)) + number)
    yield ipaddress.IPv6Address((0x2002 << 112) + (number << 80) + 1)
    yield ipaddress.IPv6Address((0x20010000 << 96) + (number ^ 0xFFFFFFFF))


def public(address):
    plain = getattr(address, "ipv4_mapped", None) or address
    return plain.is_global and not plain.is_multicast and not plain.is_reserved


addresses = [address for edge in EDGES for address in around(edge)]
addresses += [inner for address in addresses if address.version == 4 for inner in carried(address)]
addresses += [ipaddress.IPv4Address(random.getrandbits(32)) for _ in range(300)]
addresses += [ipaddress.IPv6Address(random.getrandbits(128)) for _ in range(150)]
addresses += [ipaddress.IPv6Address((0b001 << 125) + random.getrandbits(125)) for _ in range(150)]
rows = sorted({str(address): public(address) for address in addresses}.items())
lines = ",\n".join(f"  {json.dumps(address)}: {json.dumps(verdict)}" for address, verdict in rows)
pathlib.Path(__file__).with_name("addresses.json").write_text("{\n" + lines + "\n}\n", encoding="utf-8")
