// Uppy in a page. `send` begins one upload; `found` is what its user would see of it.
import Uppy from '@uppy/core';
import Tus from '@uppy/tus';

window.found = { progress: [], url: null, failures: [], end: null };

window.send = async ({ endpoint, key, file, name, chunkSize }) => {
  const uppy = new Uppy({ autoProceed: false, meta: { kind: 'video', altText: 'Wellen.' } });
  uppy.use(Tus, { endpoint, chunkSize, headers: { Authorization: `Bearer ${key}` }, allowedMetaFields: true });
  uppy.on('upload-progress', (_file, { bytesUploaded }) => found.progress.push(bytesUploaded));
  uppy.on('upload-error', (_file, error) => found.failures.push(String(error)));
  uppy.on('upload-success', (_file, { uploadURL }) => (found.url = uploadURL));
  uppy.on('complete', ({ successful }) => (found.end = successful.length === 1 ? 'success' : 'failure'));
  uppy.addFile({ name, type: 'video/mp4', data: await (await fetch(file)).blob() });
  uppy.upload();
};
