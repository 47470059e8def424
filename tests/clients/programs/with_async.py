"""asyncmy and aiomysql, which have one interface; ASYNC_DRIVER says which."""

import asyncio
import importlib
import os

import scenario

driver = importlib.import_module(os.environ["ASYNC_DRIVER"])


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
        async def make():
            result = self._inner.cursor()
            return await result if hasattr(result, "__await__") else result
        return Waiting(self._loop.run_until_complete(make()), self._loop)


loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)


async def connect():
    return await driver.connect(**scenario.PLACE, db=scenario.SCHEMA, charset="utf8mb4")

scenario.run(Connection(loop.run_until_complete(connect()), loop), driver.errors.MySQLError
             if hasattr(driver, "errors") else driver.MySQLError)
