#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0
"""
transact: transactions on a SQLite database, and an account of those that were
committed

usage: transact.py run DATABASE ACCOUNT JOURNAL SECONDS [KILL-AFTER]
       transact.py check DATABASE ACCOUNT

run: each transaction moves money between accounts, writes an entry of its own with
some kilobytes, and at times deletes old ones or makes the database smaller. JOURNAL
is delete, truncate, persist or wal. When COMMIT has returned, the transaction's number
goes to ACCOUNT, a file outside of what is under test, in one write. An entry says
what the transaction left: so what check finds must be the state after the last
transaction whose number is there, or after the one that was under way.

With KILL-AFTER, it ends after that many of them by SIGKILL, in the midst of one.
"""
import os
import random
import signal
import sqlite3
import sys
import threading
import time

ACCOUNTS = 200
MONEY = 1000


def connect(path, journal=None):
    base = sqlite3.connect(path, timeout=30, isolation_level=None)
    base.execute("pragma synchronous = full")
    if journal:
        mode = base.execute("pragma journal_mode = " + journal).fetchone()[0]
        if mode != journal:
            sys.exit(f"transact: {path}: journal mode is {mode}, not {journal}")
    base.execute("pragma cache_size = 50")      # spills amid transactions
    return base


def prepare(base):
    base.execute("begin immediate")
    base.execute("create table if not exists money (id integer primary key, amount integer)")
    base.execute("create table if not exists entry"
                 " (number integer primary key, first integer, second integer,"
                 "  sum integer, filling blob)")
    if base.execute("select count(*) from money").fetchone()[0] == 0:
        base.executemany("insert into money values (?, ?)",
                         [(i, MONEY) for i in range(ACCOUNTS)])
    base.execute("commit")


def filling(number):
    return random.Random(number).randbytes(100 + number * 7919 % 12000)


def transaction(base, number):
    chance = random.Random(number * 31)
    first, second = chance.sample(range(ACCOUNTS), 2)
    amount = chance.randrange(100)
    base.execute("begin immediate")
    base.execute("update money set amount = amount - ? where id = ?", (amount, first))
    base.execute("insert into entry values (?, ?, ?, ?, ?)",
                 (number, first, second, amount, filling(number)))
    base.execute("update money set amount = amount + ? where id = ?", (amount, second))
    if number % 20 == 0:
        base.execute("update entry set filling = zeroblob(10) where number < ?", (number - 15,))
    base.execute("commit")
    if number % 50 == 0:
        base.execute("vacuum")


def last(base):
    return base.execute("select coalesce(max(number), 0) from entry").fetchone()[0]


def run(path, account, journal, seconds, kill_after=None):
    log = os.open(account, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    base = connect(path, journal)
    prepare(base)
    number = last(base)
    end = time.monotonic() + seconds
    done = 0
    while time.monotonic() < end:
        number += 1
        if kill_after is not None and done >= kill_after:
            # In the midst of what comes now, wherever that is.
            threading.Timer(random.random() / 10, os.kill,
                            (os.getpid(), signal.SIGKILL)).start()
            kill_after = None
        transaction(base, number)
        os.write(log, b"%d\n" % number)
        done += 1
    base.close()
    print(f"{done} transactions")


def check(path, account):
    acknowledged = 0
    with open(account, encoding="ascii") as log:
        for line in log:
            acknowledged = int(line)
    base = connect(path)
    wrong = []
    said = [row[0] for row in base.execute("pragma integrity_check")]
    if said != ["ok"]:
        wrong += said[:10]
    entries = base.execute("select number, first, second, sum, filling from entry"
                           " order by number").fetchall()
    numbers = [entry[0] for entry in entries]
    if numbers != list(range(1, len(numbers) + 1)):
        wrong.append("entries are missing")
    if not acknowledged <= len(numbers) <= acknowledged + 1:
        wrong.append(f"{acknowledged} transactions were acknowledged, {len(numbers)} are there")
    money = [MONEY] * ACCOUNTS
    for number, first, second, amount, content in entries:
        money[first] -= amount
        money[second] += amount
        if content not in (filling(number), bytes(10)):
            wrong.append(f"entry {number} is not what was written")
    if money != [row[0] for row in base.execute("select amount from money order by id")]:
        wrong.append("the accounts are not what the entries make them")
    base.close()
    for line in wrong:
        print(f"transact: {path}: {line}", file=sys.stderr)
    print(f"{len(numbers)} transactions, {acknowledged} acknowledged")
    return 1 if wrong else 0


def main():
    what = sys.argv[1:2]
    if what == ["run"] and len(sys.argv) in (6, 7):
        run(sys.argv[2], sys.argv[3], sys.argv[4], float(sys.argv[5]),
            *map(int, sys.argv[6:]))
        return 0
    if what == ["check"] and len(sys.argv) == 4:
        return check(sys.argv[2], sys.argv[3])
    print("usage: transact.py run DATABASE ACCOUNT JOURNAL SECONDS [KILL-AFTER]\n"
          "       transact.py check DATABASE ACCOUNT", file=sys.stderr)
    return 2


sys.exit(main())
