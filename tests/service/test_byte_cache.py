"""ByteCache: a least-recently-used cache of limited size in bytes."""

from deconvwidgets.service.byte_cache import ByteCache


def test_least_recently_used_entries_are_removed_first():
    cache = ByteCache(10, len)
    for key in "abc":
        cache.put(key, key * 3)
    assert cache.get("a") == "aaa"
    cache.put("d", "dddd")
    assert [cache.get(key) for key in "abcd"] == ["aaa", None, "ccc", "dddd"]
    assert cache.bytes == 10


def test_replaced_and_too_large_values():
    cache = ByteCache(10, len)
    for _ in range(5):
        cache.put("a", "aaaa")
    assert cache.bytes == 4
    cache.put("b", "b" * 11)
    assert cache.get("b") is None
    assert cache.get("a") == "aaaa"
    cache.put("a", "a" * 11)  # the old value of the key is removed, too
    assert cache.get("a") is None
    assert cache.bytes == 0


def test_keep_only():
    cache = ByteCache(10, len)
    cache.put((1, "a"), "aa")
    cache.put((2, "a"), "bb")
    cache.keep_only(lambda key: key[0] == 2)
    assert cache.get((1, "a")) is None
    assert cache.get((2, "a")) == "bb"
    assert cache.bytes == 2
