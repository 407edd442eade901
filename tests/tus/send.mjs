// One upload by tus-js-client.   node send.mjs <endpoint> <key> <file> <way>
// Prints one line of JSON: the upload's URL, how often a piece was sent, and what happened.
import { createReadStream, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { Upload } from 'tus-js-client';

const [endpoint, key, path, way] = process.argv.slice(2);
const ways = {
  plain: {},
  chunked: { chunkSize: 3_000_000 },
  withUpload: { uploadDataDuringCreation: true, chunkSize: 5_000_000 },
  resumed: { chunkSize: 2_000_000 },
  parallel: { parallelUploads: 3 },
  terminated: { chunkSize: 2_000_000 },
};

const found = { patches: 0, heads: 0, url: null, end: null };
let upload = null;

function options(more) {
  return {
    endpoint,
    headers: { Authorization: `Bearer ${key}` },
    metadata: { filename: basename(path), kind: 'video', altText: 'Wellen.' },
    retryDelays: [100, 500, 1000, 2000],
    onBeforeRequest: (request) => {
      if (request.getMethod() === 'PATCH') found.patches += 1;
      if (request.getMethod() === 'HEAD') found.heads += 1;
    },
    ...ways[way],
    ...more,
  };
}

function send(source, more = {}) {
  return new Promise((resolve, reject) => {
    upload = new Upload(source, options({ onSuccess: () => resolve('success'), onError: reject, ...more(resolve) }));
    upload.start();
  });
}

// Two pieces, then nothing more.
const interrupted = (resolve) => ({
  onChunkComplete: (_size, accepted) => {
    if (accepted >= 4_000_000) resolve('interrupted');
  },
});

const data = way === 'plain' ? readFileSync(path) : undefined;
if (way === 'resumed') {
  await send(createReadStream(path), interrupted);
  await upload.abort();
  found.end = await send(readFileSync(path), () => ({ uploadUrl: upload.url }));
} else if (way === 'terminated') {
  await send(createReadStream(path), interrupted);
  await upload.abort(true);
  found.end = 'terminated';
} else {
  found.end = await send(data ?? createReadStream(path), () => ({}));
}
found.url = upload.url;
console.log(JSON.stringify(found));
