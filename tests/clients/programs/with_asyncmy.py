import asyncio

import asyncmy
import scenario


class Waiting:
    """An asynchronous object whose methods wait, so that the common scenario can use it."""

    def __init__(self, inner, loop):
        self._inner, self._loop = inner, loop

    def __getattr__(self, name):
        found = getattr(self._inner, name)
        return self._call(found) if callable(found) else found

    def _call(self, method):
        def call(*arguments, **named):
            result = method(*arguments, **named)
            return self._loop.run_until_complete(result) if asyncio.iscoroutine(result) else result
        return call


class Connection(Waiting):
    def cursor(self):
        return Waiting(self._inner.cursor(), self._loop)


loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)


async def connect():
    return await asyncmy.connect(**scenario.PLACE, db=scenario.SCHEMA, charset="utf8mb4")

scenario.run(Connection(loop.run_until_complete(connect()), loop), asyncmy.errors.MySQLError)
