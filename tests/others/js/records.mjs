// What a node of weft's DHT checks of a record, written from docs/protocol/rendezvous.md 1 alone and with Node's own Ed25519.
// Section numbers are of that page.

import { createHash, createPublicKey, verify } from 'node:crypto'

const RECORD_BYTES_MAX = 4096
const SEALED_BYTES = [800, 3872]
const CLOCK_S = 900
const EXPIRY_S_MAX = 26 * 3600
const PREFIX = '/weft/'
const ED25519 = Buffer.from('302a300506032b6570032100', 'hex') // a public key as SubjectPublicKeyInfo (RFC 8410)

// Throws unless the record may lie under the key now. key: as on the wire.
export function check (key, record) {
  checkAt(key, record, Math.floor(Date.now() / 1000))
}

export function checkAt (key, record, now) {
  const found = read(record)
  const place = PREFIX + createHash('sha256').update(found.name).digest('base64url')
  refuseIf(Buffer.from(key).toString('latin1') !== place, 'it lies under another key than its own')
  refuseIf(found.expiry <= now || found.expiry > found.until, 'its time is over')
  refuseIf(found.until > now + EXPIRY_S_MAX + CLOCK_S || found.sequence > now + CLOCK_S, 'it comes from the future')
  refuseIf(!isSigned(found.name, 'weft/1/rv', [found.name, found.signer, u32(found.until)], found.certificate), 'its certificate is bad')
  refuseIf(!isSigned(found.signer, 'weft/1/dht', [found.signed], found.signature), 'its signature is bad')
}

// The place of the record that counts (1.6).
export function newest (key, records) {
  const order = records.map((record, place) => ({ place, record: Buffer.from(record), sequence: read(record).sequence }))
  order.sort((one, other) => other.sequence - one.sequence || Buffer.compare(other.record, one.record))
  return order[0].place
}

// The fields of [1, name, signer, until, certificate, sequence, expiry, sealed, signature] (1.1); canonical CBOR only.
function read (record) {
  const raw = Buffer.from(record)
  refuseIf(raw.length > RECORD_BYTES_MAX, 'it is too long')
  let at = 0
  const head = (kind) => {
    const first = raw[at++]
    refuseIf(first >> 5 !== kind, 'it has another shape')
    const short = first & 31
    if (short < 24) return short
    refuseIf(short > 27, 'it has another shape')
    const size = 1 << (short - 24)
    const number = Number(raw.subarray(at, at += size).reduce((sum, byte) => sum * 256n + BigInt(byte), 0n))
    refuseIf(number < [24, 256, 65536, 2 ** 32][short - 24], 'an integer is longer than it has to be')
    return number
  }
  const string = (...sizes) => {
    const size = head(2)
    refuseIf(!sizes.includes(size) || at + size > raw.length, 'a field has another size')
    return raw.subarray(at, at += size)
  }
  refuseIf(head(4) !== 9 || head(0) !== 1, 'it is no record')
  const [name, signer, until, certificate, sequence, expiry] = [string(32), string(32), head(0), string(64), head(0), head(0)]
  string(...SEALED_BYTES)
  // 1.2: signed is the array without its last field, so with 8 fields
  const signed = Buffer.concat([Buffer.from([0x88]), raw.subarray(1, at)])
  const signature = string(64)
  refuseIf(at !== raw.length, 'something follows it')
  return { name, signer, until, certificate, sequence, expiry, signed, signature }
}

function isSigned (key, label, parts, signature) {
  const publicKey = createPublicKey({ key: Buffer.concat([ED25519, key]), format: 'der', type: 'spki' })
  return verify(null, Buffer.concat([Buffer.from(`${label}\0`), ...parts]), publicKey, signature)
}

function u32 (number) {
  const raw = Buffer.alloc(4)
  raw.writeUInt32BE(number)
  return raw
}

function refuseIf (true_, why) {
  if (true_) throw new Error(`a record is refused: ${why}`)
}
