// Runs in every page of the browser tests: looks at pixels, and measures from a key to changed pixels.
// A picture is found anew each time, by its selector inside `root`, because widgets replace their elements.
window.vmlabTest = {
  // The last visible element that matches: an image, a canvas or an SVG drawing.
  picture(root, selector) {
    const visible = [...root.querySelectorAll(selector)].filter(e => e.getBoundingClientRect().width > 20);
    return visible[visible.length - 1] ?? null;
  },

  // A hash of what is drawn; null while there is nothing to see, as between two images.
  hash(root, selector) {
    const element = this.picture(root, selector);
    if (element === null) return null;
    if (element.tagName !== "IMG" && element.tagName !== "CANVAS") return element.outerHTML;
    if (element.tagName === "IMG" && (!element.complete || !element.naturalWidth)) return null;
    const width = Math.min(element.naturalWidth ?? element.width, 512);
    const height = Math.min(element.naturalHeight ?? element.height, 512);
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(element, 0, 0, width, height);
    const pixels = new Uint32Array(context.getImageData(0, 0, width, height).data.buffer);
    let hash = 17;
    for (const pixel of pixels) hash = (Math.imul(hash, 31) + pixel) | 0;
    return `${width}x${height}:${hash}`;
  },

  // True when a picture is there and is not what it was.
  changed(root, selector, before) {
    const now = this.hash(root, selector);
    return now !== null && now !== before;
  },

  // Milliseconds from the next key press to the first animation frame in which the picture differs.
  keyToPixel(root, selector, limit) {
    const before = this.hash(root, selector);
    return new Promise((resolve, reject) => {
      document.addEventListener("keydown", event => {
        const look = () => {
          const waited = performance.now() - event.timeStamp;
          if (this.changed(root, selector, before)) resolve(waited);
          else if (waited > limit) reject(new Error(`the picture did not change within ${limit} ms of the key`));
          else requestAnimationFrame(look);
        };
        requestAnimationFrame(look);
      }, { capture: true, once: true });
    });
  },

  // --- cells ---

  // The first code cell whose source has this text.
  codeCell(source) {
    const cells = window.jupyterapp.shell.currentWidget.content.widgets;
    const found = cells.find(cell => cell.model.type === "code" && cell.model.sharedModel.source.includes(source));
    if (found === undefined) throw new Error(`no code cell has ${source}`);
    return found;
  },

  // A CSS selector of that cell, by its id in the notebook: found in no time, however much the page holds.
  selector(source) {
    const cell = this.codeCell(source);
    cell.node.dataset.vmlabTest = cell.model.id;
    return `.jp-CodeCell[data-vmlab-test="${cell.model.id}"]`;
  },

  // Of the cells whose source has `source`, what those put out that do not say `words`, or show a picture.
  notShut(source, words, picture) {
    const cells = window.jupyterapp.shell.currentWidget.content.widgets;
    const asked = cells.filter(cell => cell.model.type === "code" && cell.model.sharedModel.source.includes(source));
    const outputs = asked.map(cell => cell.outputArea.node);
    const isShut = output => output.textContent.includes(words) && output.querySelector(picture) === null;
    return asked.length ? outputs.filter(output => !isShut(output)).map(output => output.textContent) : ["no such cell"];
  },

  // --- the cell's height ---

  // Record the lowest height of a cell's output from now on: the observer is called before every frame that changes it.
  watchHeight(root) {
    const area = root.querySelector(".jp-Cell-outputArea");
    this.watch?.observer.disconnect();
    const watch = this.watch = { lowest: area.getBoundingClientRect().height };
    const look = () => { watch.lowest = Math.min(watch.lowest, area.getBoundingClientRect().height); };
    watch.observer = new ResizeObserver(look);
    watch.observer.observe(area);
    return watch.lowest;
  },

  // --- notebooks ---

  ended: {}, // of each notebook that was closed, by its path: a promise that its kernel is gone

  // Open a notebook in a page that is there already, and wait until it is in front.
  async open(path) {
    await this.ended[path]; // or it would be given the old kernel
    const notebook = await window.jupyterapp.commands.execute("docmanager:open", { path });
    while (window.jupyterapp.shell.currentWidget !== notebook) await new Promise(requestAnimationFrame);
    await notebook.context.ready;
    await notebook.sessionContext.ready;
    this.listen(notebook);
  },

  // Keep what goes wrong in the kernel, whether a cell or a control's callback started it.
  listen(notebook) {
    this.troubles = [];
    notebook.sessionContext.iopubMessage.connect((_, message) => {
      const { ename, evalue, text, traceback } = message.content;
      if (message.header.msg_type === "error") this.troubles.push(`${ename}: ${evalue}\n${traceback.join("\n")}`);
      if (message.header.msg_type === "stream" && text.includes("Traceback")) this.troubles.push(text);
    });
  },

  // Close the notebook in front, unsaved, and let its kernel end meanwhile.
  close() {
    const notebook = window.jupyterapp.shell.currentWidget;
    const { path, id } = notebook.sessionContext.session;
    notebook.context.model.dirty = false;
    notebook.dispose();
    this.ended[path] = window.jupyterapp.serviceManager.sessions.shutdown(id);
  },

  // Put a code cell below the others of the notebook in front.
  addCell(source) {
    const cells = window.jupyterapp.shell.currentWidget.content.model.sharedModel;
    cells.insertCell(cells.cells.length, { cell_type: "code", source, metadata: {} });
  },

  // Run every cell. True when all were run, or when one failed; false if that took longer than `limit` ms.
  async runAll(limit) {
    const late = new Promise(resolve => setTimeout(resolve, limit, false));
    const done = window.jupyterapp.commands.execute("notebook:run-all-cells");
    return Promise.race([late, done.then(() => true)]);
  },

  // Run the one cell whose source has this text. JupyterLab holds the height of what was there for a moment: wait
  // until the cell has its own.
  async run(source) {
    const content = window.jupyterapp.shell.currentWidget.content;
    const cell = this.codeCell(source);
    content.activeCellIndex = content.widgets.indexOf(cell);
    const output = cell.outputArea.node;
    await window.jupyterapp.commands.execute("notebook:run-cell");
    while (output.style.height) await new Promise(requestAnimationFrame);
  },

  // The kernel of the notebook in front, once it has one.
  kernel() {
    return window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel;
  },

  // What is wrong with the notebook in front, if anything: its error outputs, one string each.
  errors() {
    const cells = window.jupyterapp.shell.currentWidget.content.widgets;
    const outputs = cells.flatMap(cell => cell.model.outputs?.toJSON() ?? []);
    return outputs.filter(o => o.output_type === "error").map(o => `${o.ename}: ${o.evalue}`);
  },
};
