// One js-libp2p host that does what it is told: a line of JSON in, {id, act, ...}; a line out, {id, answer} or {id, fault}.
// The libp2p packages are as their makers publish them. Bytes are hex. Driven by tests/others/js_peer.py.

import { noise } from '@chainsafe/libp2p-noise'
import { yamux } from '@chainsafe/libp2p-yamux'
import { circuitRelayServer, circuitRelayTransport } from '@libp2p/circuit-relay-v2'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { identify } from '@libp2p/identify'
import { kadDHT, passthroughMapper } from '@libp2p/kad-dht'
import { peerIdFromString } from '@libp2p/peer-id'
import { ping } from '@libp2p/ping'
import { tcp } from '@libp2p/tcp'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { CID } from 'multiformats/cid'
import * as Digest from 'multiformats/hashes/digest'
import { createInterface } from 'node:readline'
import { check, checkAt, newest } from './records.mjs'

const KAD = '/weft/kad/1.0.0'
const ECHO = '/weft/test/echo/1'
const RAW = 0x55 // of a CID; the DHT sees the multihash alone
const SHA_256 = 0x12
const PATIENCE_MS = 20_000

let host

const bytes = (hex) => new Uint8Array(Buffer.from(hex, 'hex'))
const hex = (raw) => Buffer.from(raw).toString('hex')
const text = (word) => new TextEncoder().encode(word)
const patience = () => ({ signal: AbortSignal.timeout(PATIENCE_MS) })
const cid = (key) => CID.createV1(RAW, Digest.create(SHA_256, bytes(key)))
const circuits = () => host.getMultiaddrs().map(String).filter((one) => one.includes('/p2p-circuit'))

async function until (true_) {
  const deadline = Date.now() + PATIENCE_MS
  for (let found; ; await new Promise((resolve) => setTimeout(resolve, 50))) {
    if ((found = true_())) return found
    if (Date.now() > deadline) throw new Error('not in time')
  }
}

async function echo (stream) {
  for await (const piece of stream) stream.send(piece)
  await stream.close()
}

async function sum (events, pick) {
  const found = []
  for await (const event of events) {
    const picked = pick(event)
    if (picked != null) found.push(picked)
  }
  return found
}

const acts = {
  // server: whether the DHT is served. relay: whether others may reserve and be relayed.
  async start ({ seed, listen, server, relay }) {
    host = await createLibp2p({
      privateKey: await generateKeyPairFromSeed('Ed25519', bytes(seed)),
      addresses: { listen },
      transports: [tcp(), circuitRelayTransport()],
      connectionEncrypters: [noise()],
      streamMuxers: [yamux()],
      connectionGater: { denyDialMultiaddr: () => false },
      services: {
        identify: identify(),
        ping: ping(),
        ...(relay ? { relay: circuitRelayServer() } : {}),
        dht: kadDHT({
          protocol: KAD,
          clientMode: !server,
          peerInfoMapper: passthroughMapper, // loopback addresses are addresses here
          allowQueryWithZeroPeers: true,
          validators: { weft: check },
          selectors: { weft: newest }
        })
      }
    })
    await host.handle(ECHO, echo, { runOnLimitedConnection: true })
    return { peer: host.peerId.toString(), addresses: host.getMultiaddrs().map(String) }
  },

  async dial ({ address }) {
    const connection = await host.dial(multiaddr(address), patience())
    return { peer: connection.remotePeer.toString(), limited: connection.limits != null }
  },

  async ping ({ address }) {
    return host.services.ping.ping(multiaddr(address), patience())
  },

  async identify ({ peer }) {
    const [connection] = host.getConnections(peerIdFromString(peer))
    const said = await host.services.identify.identify(connection, patience())
    return {
      agent: said.agentVersion,
      protocols: said.protocols,
      addresses: said.listenAddrs.map(String),
      observed: said.observedAddr?.toString() ?? null
    }
  },

  // Who is in the table of the DHT.
  async table () {
    return [...host.services.dht.routingTable.kb.toIterable()].map(({ peerId }) => peerId.toString())
  },

  // Who said that he keeps it.
  async put ({ key, record }) {
    const puts = host.services.dht.put(text(key), bytes(record), patience())
    return sum(puts, (one) => one.name === 'PEER_RESPONSE' && one.messageName === 'PUT_VALUE' ? one.from.toString() : null)
  },

  // Every value that the search gave, and who gave it; the last is the one that was chosen.
  async get ({ key }) {
    const values = host.services.dht.get(text(key), patience())
    return sum(values, (one) => one.name === 'VALUE' ? [one.from.toString(), hex(one.value)] : null)
  },

  async provide ({ key }) {
    const provided = host.services.dht.provide(cid(key), patience())
    return sum(provided, (one) => one.name === 'PEER_RESPONSE' && one.messageName === 'ADD_PROVIDER' ? one.from.toString() : null)
  },

  async find ({ key }) {
    const found = await sum(host.services.dht.findProviders(cid(key), patience()), (one) => one.name === 'PROVIDER' ? one.providers : null)
    return found.flat().map(({ id, multiaddrs }) => [id.toString(), multiaddrs.map(String)])
  },

  // Whom the DHT knows to be nearest to a key.
  async closest ({ key }) {
    const found = host.services.dht.getClosestPeers(text(key), patience())
    return sum(found, (one) => one.name === 'FINAL_PEER' ? one.peer.id.toString() : null)
  },

  // Listens through a relay; its circuit address.
  async reserve ({ relay }) {
    await host.components.transportManager.listen([multiaddr(`${relay}/p2p-circuit`)])
    return until(() => circuits().find((one) => one.startsWith(relay)))
  },

  // What comes back for some bytes on a stream of a protocol, whatever the way there is.
  async say ({ address, protocol, words }) {
    const stream = await host.dialProtocol(multiaddr(address), protocol ?? ECHO, { ...patience(), runOnLimitedConnection: true })
    stream.send(bytes(words))
    const heard = []
    for await (const piece of stream) {
      heard.push(hex(piece.subarray()))
      if (heard.join('').length >= words.length) break
    }
    await stream.close(patience())
    return heard.join('')
  },

  // Of each record whether it may lie under its key at that time, and which of them counts; needs no host.
  async check ({ key, records, now }) {
    const isGood = (record) => {
      try {
        checkAt(text(key), bytes(record), now)
        return true
      } catch {
        return false
      }
    }
    const good = records.map(isGood)
    const fit = records.filter((_, place) => good[place])
    return { good, newest: fit.length ? fit[newest(text(key), fit.map(bytes))] : null }
  },

  async connections () {
    return host.getConnections().map((one) => [one.remotePeer.toString(), one.remoteAddr.toString()])
  },

  async hangup ({ peer }) {
    await host.hangUp(peerIdFromString(peer), patience())
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const { id, act, ...said } = JSON.parse(line)
  acts[act](said).then(
    (answer) => ({ id, answer: answer ?? null }),
    (error) => ({ id, fault: `${error.name}: ${error.message}` })
  ).then((answer) => process.stdout.write(`${JSON.stringify(answer)}\n`))
}
process.exit(0)
