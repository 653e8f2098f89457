"""A real SMTP server (aiosmtpd) that is told by its first argument, JSON, what it is: it takes mail, wants TLS and a login, refuses some
receivers, or stops answering. Prints its port; writes every message that it takes to the folder, decoded by Python's own parser."""

import asyncio
import email
import email.policy
import hashlib
import json
import pathlib
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult

options = json.loads(sys.argv[1])
folder = pathlib.Path(options["folder"])
trouble = options.get("trouble", "")
taken = 0


class Handler:
    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        return responses

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if address in options["refused"]:
            return f"550 5.1.1 <{address}>: no such user"
        if address in options["deferred"]:
            return f"450 4.2.0 <{address}>: greylisted"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        global taken
        if trouble == "hangs-at-data":
            await asyncio.sleep(600)
        taken += 1
        if trouble == "defers-once" and taken == 1:
            return "451 4.3.0 try again"
        if trouble == "rejects-content":
            return "554 5.7.1 rejected as spam: " + envelope.content.decode("utf-8", "replace")[:100].replace("\r\n", " ")
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        parts = []
        for part in message.walk():
            if not part.is_multipart():
                content = part.get_payload(decode=True)
                text = content.decode("utf-8") if len(content) < 100_000 else ""
                digest = hashlib.sha256(content).hexdigest()
                name = part.get_filename()
                parts.append({"type": part.get_content_type(), "name": name, "text": text, "sha256": digest, "bytes": len(content)})
        seen = {
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos,
            "hello": session.host_name,
            "tls": session.ssl is not None or options["tls"] == "implicit",
            "user": session.auth_data.login.decode() if session.auth_data else None,
            "structure": [part.get_content_type() for part in message.walk()],
            "headers": [[name, str(value)] for name, value in message.items()],
            "parts": parts,
        }
        partial = folder / f"{taken}.partial"
        partial.write_text(json.dumps(seen))
        partial.rename(folder / f"{taken}.json")
        return "250 2.0.0 taken"

    async def handle_QUIT(self, server, session, envelope):
        if trouble == "hangs-at-quit":
            await asyncio.sleep(600)
        return "221 Bye"


def authenticate(server, session, envelope, mechanism, data):
    good = [data.login.decode(), data.password.decode()] == options["login"]
    # A careless server repeats what it was sent.
    message = None if good else f"535 5.7.8 no login for {data.login.decode()} with {data.password.decode()}"
    return AuthResult(success=good, handled=False, message=message, auth_data=data)


def session():
    wants_login = options["login"] is not None
    context = tls if options["tls"] == "starttls" else None
    return SMTP(
        Handler(),
        hostname="mail.test",
        tls_context=context,
        require_starttls=context is not None,
        authenticator=authenticate if wants_login else None,
        auth_required=wants_login,
        # Of a connection that is encrypted from its first byte, aiosmtpd does not know that it is.
        auth_require_tls=context is not None,
    )


async def main():
    over = tls if options["tls"] == "implicit" else None
    server = await asyncio.get_running_loop().create_server(session, "127.0.0.1", 0, ssl=over)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


tls = None
if options["tls"] != "none":
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(options["certificate"], options["key"])
asyncio.run(main())
