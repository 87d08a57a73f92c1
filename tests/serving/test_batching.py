"""Whatever waits goes together by settings, clients take turns, and only what is to blame fails."""

import threading

import pytest

from densecap.serving.batching import Waiting, Work, Worker


def waiting_of(*pairs: tuple[str, str]) -> Waiting:
    """Work of (client, group), each item called by its place."""
    waiting: Waiting = Waiting()
    for number, (client, group) in enumerate(pairs):
        waiting.put(Work(number, client, group))
    return waiting


def taken(waiting: Waiting, most: int) -> list[int]:
    return [work.item for work in waiting.take(most)]


def test_clients_take_turns() -> None:
    waiting = waiting_of(*[("greedy", "g")] * 5, ("a", "g"), ("b", "g"))
    assert taken(waiting, 3) == [0, 5, 6]
    assert taken(waiting, 3) == [1, 2, 3]
    waiting.put(Work(7, "a", "g"))
    assert sorted(taken(waiting, 3)) == [4, 7]


def test_who_was_served_goes_to_the_end_of_the_row() -> None:
    waiting = waiting_of(("a", "g"), ("a", "g"), ("b", "g"), ("b", "g"))
    assert [taken(waiting, 1) for _ in range(4)] == [[0], [2], [1], [3]]


def test_a_batch_has_one_kind_of_settings_and_the_other_comes_next() -> None:
    waiting = waiting_of(("a", "x"), ("b", "y"), ("c", "x"), ("a", "y"))
    assert taken(waiting, 8) == [0, 2]
    assert sorted(taken(waiting, 8)) == [1, 3]


def test_what_was_given_up_is_passed_over() -> None:
    waiting: Waiting = Waiting()
    works = [Work(number, number, "g") for number in range(3)]
    for work in works:
        waiting.put(work)
    works[1].future.cancel()
    assert taken(waiting, 8) == [0, 2]


def test_closing_lets_the_worker_end_and_takes_no_more() -> None:
    waiting: Waiting = Waiting()
    worker = Worker(waiting, lambda items: items, 4)
    worker.start()
    work = Work("picture", "a", "g")
    waiting.put(work)
    assert work.future.result(10) == "picture" and work.arrived <= work.started <= work.finished
    assert waiting.close() == []
    worker.thread.join(10)
    assert not worker.thread.is_alive()
    with pytest.raises(RuntimeError):
        waiting.put(Work(1, "a", "g"))


def test_what_waits_while_the_model_works_is_one_batch() -> None:
    waiting: Waiting = Waiting()
    sizes, go = [], threading.Event()

    def describe(items):
        sizes.append(len(items))
        assert go.wait(10)
        return items

    worker = Worker(waiting, describe, 4)
    works = [Work(number, number, "g") for number in range(6)]
    waiting.put(works[0])
    worker.start()
    while not sizes:
        pass
    for work in works[1:]:
        waiting.put(work)
    go.set()
    assert [work.future.result(10) for work in works] == list(range(6))
    assert sizes == [1, 4, 1]
    waiting.close()


def test_a_batch_that_fails_is_tried_one_by_one() -> None:
    recovered: list[int] = []

    def describe(items):
        if 2 in items:
            raise MemoryError("too much")
        return [item * 10 for item in items]

    worker = Worker(Waiting(), describe, 4, lambda: recovered.append(1))
    works = [Work(number, number, "g") for number in range(4)]
    for work in works:
        work.future.set_running_or_notify_cancel()
    worker.settle(works)
    assert [works[number].future.result(0) for number in (0, 1, 3)] == [0, 10, 30]
    with pytest.raises(MemoryError):
        works[2].future.result(0)
    assert recovered
