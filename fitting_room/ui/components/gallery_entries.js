// What the panel leaves in the browser's history. All that it shows is an entry, so that Back leads
// out of it; however else it is closed, those entries are left as well: Back would open it again.

const search = () => location.search.slice(1);
const at = (query) => (query ? `?${query}` : location.pathname);

export class Entries {
  // "back" is called when the browser's button led from the panel's dialog to the page below.
  constructor(dialog, back) {
    this.dialog = dialog;
    this.back = back;
    this.heard = (event) => this.hear(event);
    this.end();
  }

  // An entry for what the server shows at that address. Streamlit adds it or has added it already,
  // and compares addresses; a mark tells it from one that a link led to. What has no address of its
  // own has that of the page.
  enter(address) {
    const shown = address?.shown ?? search();
    const isHere = search() === shown;
    const known = history.state?.frPanel;
    this.without = address?.without ?? search();
    addEventListener("popstate", this.heard, true);
    if (isHere && known) this.depth = known;
    else if (this.isAwaited) {
      this.depth += 1;
      const isAdded = address && isHere;
      history[isAdded ? "replaceState" : "pushState"]({ frPanel: this.depth }, "", at(shown));
    }
    this.isAwaited = false;
  }

  // Leave all entries of the panel; resolves at the page below.
  async leave() {
    const { without } = this;
    if (without !== null) {
      const depth = history.state?.frPanel;
      if (depth) {
        await new Promise((resolve) => {
          this.left = resolve;
          history.go(-depth);
        });
      }
      // Who came by a link has no entry of the page below.
      if (search() !== without) history.replaceState(history.state, "", at(without));
    }
    this.end();
  }

  // Hears of the browser's buttons before Streamlit, which would ask for the whole page anew.
  hear(event) {
    const isShown = this.dialog.open && this.dialog.isConnected;
    const isBelow = !history.state?.frPanel && search() === this.without;
    if (!this.left && !(isShown && isBelow)) return;
    event.stopImmediatePropagation();
    if (this.left) this.left();
    else {
      this.end();
      this.back();
    }
  }

  // Nothing is shown any more.
  end() {
    removeEventListener("popstate", this.heard, true);
    this.depth = 0; // entries from what is shown down to the page below
    this.without = null; // the address of the page below
    this.isAwaited = false; // what was clicked has no entry before the server has answered
    this.left = null;
  }
}
