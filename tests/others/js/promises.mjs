// js-libp2p asks for Node 22; of what Node 20 lacks it uses this alone. Preloaded: node --import ./promises.mjs peer.mjs
Promise.withResolvers ??= function () {
  let resolve, reject
  const promise = new Promise((yes, no) => { [resolve, reject] = [yes, no] })
  return { promise, resolve, reject }
}
