"""A process in which environments live. The trainer starts it with a socket, a file of shared memory, and a pipe that
is closed when the trainer ends; see `_envs.py`."""

import os
import pickle
import signal
import socket
import sys
import threading


def _end_with(life):
    os.read(life, 1)
    os._exit(0)


def _exactly(connection, n):
    data = b""
    while len(data) < n:
        if not (more := connection.recv(n - len(data))):
            os._exit(0)
        data += more
    return data


def serve(connection, memory, given):
    from s2pg import _envs

    slots = []
    while (what := _envs.receive(connection)) is not None:
        command, *rest = what
        notes = []
        try:
            answer = "done", {}, notes
            if command == "step":
                errors = answer[1]
                for number in rest[0]:
                    slot = slots[number]
                    slot.run()
                    if slot.out[3] == _envs.FAILED:
                        errors[number] = slot.error
                    notes += slot.notes
                    slot.notes.clear()
            elif command == "reset":
                slot = slots[rest[0]]
                slot.reset(rest[1])
                notes += slot.notes
                slot.notes.clear()
            elif command == "make":
                name, options, is_given = rest
                slot = _envs.Local(name, options, pickle.loads(given) if is_given else None)
                slots.append(slot)
                answer = "done", (len(slots) - 1, slot.description, slot.sizes), notes
            elif command == "map":
                slot = slots[rest[0]]
                slot.use(_envs._arrays(slot.sizes, _envs._mapped(memory, rest[1], slot.sizes)))
            else:
                for slot in slots:
                    slot.close()
                return
        except _envs.Error as e:
            answer = "fault", str(e), notes
        except Exception as e:
            answer = "failed", _envs._words(e), notes
        _envs.send(connection, answer)


def main():
    # Ctrl-C in a terminal reaches every process; the trainer decides what follows from it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection, memory, life = (int(fd) for fd in sys.argv[1:])
    threading.Thread(target=_end_with, args=(life,), daemon=True).start()
    connection = socket.socket(fileno=connection)
    # The first message is followed by the next one without an answer, so that no more than it is read.
    first = _exactly(connection, int.from_bytes(_exactly(connection, 8), "little"))
    sys.path, given = pickle.loads(first)
    serve(connection, memory, given)


if __name__ == "__main__":
    main()
