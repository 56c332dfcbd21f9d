"""What somebody learns who can reach a node's port: case 24, and the same for the door of invitations."""

from collections.abc import Callable

import pytest
import trio

from lab import world
from lab.world import World, befriend
from node import channel, frames
from node.network import PeerId, Stream
from protocol import ids, invite, talk
from tests.stories import wiretap
from tests.stories.test_restores import say_both_ways

SEED = b"a stranger's transport key, 32 by"[:32]
Proof = Callable[[bytes], bytes]


async def answer_to(
    w: World, seed: bytes, victim: str, protocol: str, own_nonce: bytes, say: Callable[[PeerId, Stream, bytes], bytes]
) -> tuple[float, list[bytes]]:
    """Seconds (virtual, after our last word), and all that the victim says to it until it ends the stream."""
    async with w.network.open_host("stranger", seed) as host:
        link = await host.dial(w.network.address(victim), None)
        stream = await link.open(protocol)
        reader = frames.FrameReader(stream, talk.FRAME_BYTES_MAX)
        await frames.write(stream, own_nonce)
        theirs = await reader.read()
        assert theirs is not None
        transcript = talk.transcript(host.peer, stream.peer, own_nonce, theirs)
        began = trio.current_time()
        await frames.write(stream, say(host.peer, stream, transcript))
        said: list[bytes] = []
        took = 0.0
        while (raw := await reader.read()) is not None:
            said.append(raw)
            took = trio.current_time() - began
        return took, said


def test_case_24_a_stranger_a_bad_proof_and_a_blocked_contact_look_the_same() -> None:
    async def story(w: World) -> None:
        w.network.delay = (0.002, 0.002)
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        chan, who, _ = await wiretap.secrets_of(bob, "alice")
        assert bob.node is not None
        own_seed = bob.node.core.identity.transport_seed
        await bob.kill()
        good = talk.chan_key(chan.key)

        def proof(transcript: bytes) -> bytes:
            return talk.prove(good, talk.Side.DIALLER, transcript, who, bytes(24))

        def forged_box(transcript: bytes) -> bytes:
            return proof(transcript)[:-1] + bytes([proof(transcript)[-1] ^ 1])

        def unknown(transcript: bytes) -> bytes:
            return talk.prove(talk.chan_key(bytes(32)), talk.Side.DIALLER, transcript, who, bytes(24))

        def other_side(transcript: bytes) -> bytes:
            return talk.prove(good, talk.Side.LISTENER, transcript, who, bytes(24))

        attempts: dict[str, Proof] = {
            "unknown key": unknown,
            "bad box": forged_box,
            "other side": other_side,
            "noise": lambda _: bytes(600),
            "nothing": lambda _: b"",
        }
        seen: dict[str, tuple[float, list[int]]] = {}

        async def attempt(name: str, made: Proof, seed: bytes, nonce: bytes = b"n" * 32) -> None:
            took, said = await answer_to(w, seed, "alice", talk.PROTOCOL, nonce, lambda _, __, t: made(t))
            seen[name] = round(took, 3), [len(one) for one in said]
            assert said[0] != bytes(32)
            await trio.sleep(5)

        for name, made in attempts.items():
            await attempt(name, made, SEED)
            await attempt(f"{name} from his PeerId", made, own_seed)
        await alice.call("contacts.block", name="bob")
        await attempt("blocked", proof, SEED)
        await attempt("blocked from his PeerId", proof, own_seed)
        assert set(map(str, seen.values())) == {str((1.0, [32]))}, seen
        await alice.call("contacts.unblock", name="bob")
        took, said = await answer_to(w, SEED, "alice", talk.PROTOCOL, b"n" * 32, lambda _, __, t: proof(t))
        assert talk.proven(good, talk.Side.LISTENER, b"", said[0]) is False  # another transcript proves nothing
        assert len(said[0]) > 600
        assert took < channel.REFUSAL_DELAY_S

    world.run(story, seed=24)


def test_case_24_an_unknown_a_revoked_and_an_expired_link_look_the_same() -> None:
    async def story(w: World) -> None:
        w.network.delay = (0.002, 0.002)
        alice = await w.person("alice")
        revoked = await alice.call("contacts.invite")
        await alice.call("contacts.revoke", id=revoked["id"])
        expired = await alice.call("contacts.invite", expires_s=60)
        living = await alice.call("contacts.invite")
        await trio.sleep(61)
        seen: dict[str, tuple[float, list[int]]] = {}
        made = {"revoked": revoked, "expired": expired, "living": living}
        secrets = {name: invite.link_from(one["link"]).secret for name, one in made.items()}
        for name, secret in {"unknown": bytes(16), **secrets}.items():
            keys = invite.InviteKeys.of(secret)

            def mac(_: PeerId, __: Stream, transcript: bytes, keys: invite.InviteKeys = keys) -> bytes:
                return invite.asker_mac(keys, transcript)

            with trio.move_on_after(30):
                took, said = await answer_to(w, SEED, "alice", invite.PROTOCOL, b"n" * 32, mac)
            seen[name] = round(took, 3), [len(one) for one in said]
        assert seen["unknown"] == seen["revoked"] == seen["expired"]
        assert seen["unknown"][0] == pytest.approx(1.0, abs=0.01)
        assert seen["unknown"][1] == [32]
        assert seen["living"][1][0] > 1000

    world.run(story, seed=2402)


def test_somebody_without_a_proof_learns_no_name_and_changes_nothing() -> None:
    async def story(w: World) -> None:
        alice = await w.person("alice")
        w.network.tap = []

        await answer_to(w, SEED, "alice", talk.PROTOCOL, b"n" * 32, lambda *_: b"who are you?")
        assert alice.node is not None
        me = alice.node.core.identity
        spoken = b"".join(piece for _, sender, _, piece in w.network.tap if sender == "alice")
        for secret in (me.account, me.device_key.public, me.identity_key.public, me.presence, me.name.encode()):
            assert secret not in spoken
        assert len(spoken) == 2 * (4 + 32)
        assert await alice.call("contacts.list") == []

    world.run(story, seed=2403)


def test_who_recorded_everything_and_breaks_noise_later_finds_certificates_and_no_text_name_or_secret() -> None:
    """The cable of this world has no Noise: it is what a quantum computer would make of a recording."""

    async def story(w: World) -> None:
        w.network.tap = []
        alice, bob = await w.person("alice"), await w.person("bob")
        await befriend(alice, bob)
        await say_both_ways(w, alice, bob, "canary-5ca1ab1e", 3)
        await bob.kill()
        await bob.start()
        await say_both_ways(w, alice, bob, "canary-5ca1ab1e again", 1)
        secrets: list[bytes] = [b"canary-5ca1ab1e"]
        shown: list[bytes] = []  # what stands in certificates: with bundles and first messages only Noise hides it
        for person, to in ((alice, "bob"), (bob, "alice")):
            assert person.node is not None
            me = person.node.core.identity
            secrets += [me.presence, me.name.encode(), me.device_key.seed, me.identity_key.secret]
            shown += [me.account, me.device_key.public, me.identity_key.public]
            secrets += [ids.ulid_from(line["id"]) for line in await person.call("chat.history", to=to)]
        recorded = b"".join(piece for _, _, _, piece in w.network.tap)
        assert len(recorded) > 20_000
        assert [secret for secret in secrets if secret in recorded] == []
        assert [key for key in shown if key in recorded]  # docs/threats.md says so; when it ends, so does that row

    world.run(story, seed=2404)
