// hypercore beside weft's logs: `append N`, `batch N`, `replicate N` in a folder that is given; one figure on stdout.
import { fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Hypercore from 'hypercore'

const BLOCK = Buffer.alloc(168) // as long as the content of a short note
const BATCH = 100
const [, , what, count, folder, port] = process.argv
const N = Number(count)

async function filled (core) {
  for (let at = 0; at < N; at += BATCH) await core.append(Array(Math.min(BATCH, N - at)).fill(BLOCK))
}

async function rate (work) {
  const place = mkdtempSync(join(tmpdir(), 'weft-hypercore-'))
  const core = new Hypercore(place)
  await core.ready()
  const began = performance.now()
  await work(core)
  console.log(N / ((performance.now() - began) / 1000))
  await core.close()
  rmSync(place, { recursive: true })
}

async function serve () { // in a process of its own
  const core = new Hypercore(folder)
  await core.ready()
  await filled(core)
  const server = net.createServer(socket => {
    const stream = core.replicate(false)
    socket.pipe(stream).pipe(socket)
    for (const one of [socket, stream]) one.on('error', () => {})
  })
  server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port, key: core.key.toString('hex') }))
}

async function replicate () {
  const place = mkdtempSync(join(tmpdir(), 'weft-hypercore-'))
  const server = fork(process.argv[1], ['serve', count, join(place, 'source')])
  const { port, key } = await new Promise(resolve => server.once('message', resolve))
  const core = new Hypercore(join(place, 'target'), Buffer.from(key, 'hex'))
  await core.ready()
  const began = performance.now()
  const socket = net.connect(port, '127.0.0.1')
  const stream = core.replicate(true)
  socket.pipe(stream).pipe(socket)
  for (const one of [socket, stream]) one.on('error', () => {})
  await core.update({ wait: true })
  await core.download({ start: 0, end: N }).done()
  console.log((performance.now() - began) / 1000)
  server.kill()
  rmSync(place, { recursive: true })
  process.exit(0)
}

const works = {
  append: () => rate(async core => { for (let n = 0; n < N; n++) await core.append(BLOCK) }),
  batch: () => rate(filled),
  serve,
  replicate
}
await works[what]()
