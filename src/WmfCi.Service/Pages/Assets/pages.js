// Pages are whole without this. It keeps times right, refreshes what goes on, and follows a growing log.
(() => {
  'use strict';
  const refreshEvery = 5000, agoEvery = 30000, maxRows = 20000, settle = 600;
  const say = text => { const place = document.getElementById('say'); if (place) place.textContent = text; };

  const ago = then => {
    const seconds = (Date.now() - then) / 1000, minutes = seconds / 60, hours = minutes / 60, days = hours / 24;
    if (seconds < 45) return 'just now';
    if (minutes < 59.5) return Math.max(1, Math.round(minutes)) + ' min ago';
    if (hours < 23.5) return Math.round(hours) + ' h ago';
    return Math.round(days) === 1 ? 'yesterday' : days < 14 ? Math.round(days) + ' days ago' : null;
  };
  const tellTimes = () => {
    for (const time of document.querySelectorAll('time[data-ago]')) {
      const text = ago(Date.parse(time.dateTime));
      if (text && time.textContent !== text) time.textContent = text;
    }
  };
  setInterval(tellTimes, agoEvery);

  // What goes on is fetched anew and put in place, unless somebody's focus is in it.
  const refresh = async () => {
    const parts = [...document.querySelectorAll('[data-refresh][id]')];
    if (parts.length === 0 || document.hidden) return;
    let page;
    try {
      const answer = await fetch(location.pathname + location.search, { headers: { Accept: 'text/html' } });
      if (!answer.ok) return;
      page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    } catch { return; }
    for (const part of parts) {
      const next = page.getElementById(part.id);
      if (!next || next.outerHTML === part.outerHTML) continue;
      if (next.dataset.status && next.dataset.status !== part.dataset.status) say(next.dataset.status);
      if (part.contains(document.activeElement)) continue;
      for (const now of part.querySelectorAll('.flow')) {
        const then = next.querySelectorAll('.flow')[[...part.querySelectorAll('.flow')].indexOf(now)];
        if (then) requestAnimationFrame(() => { then.scrollLeft = now.scrollLeft; });
      }
      part.replaceWith(document.importNode(next, true));
      document.title = page.title;
    }
  };
  if (document.querySelector('[data-refresh]')) setInterval(refresh, refreshEvery);

  // A link to a line that this part of the log does not show leads to the part that does.
  const wanted = /^#L([1-9][0-9]{0,15})$/.exec(location.hash);
  if (wanted && !document.getElementById('L' + wanted[1])) {
    const here = new URL(location.href);
    if (here.searchParams.get('from') !== wanted[1] && document.getElementById('lines')) {
      here.searchParams.set('from', wanted[1]);
      location.replace(here);
      return;
    }
  }

  const list = document.getElementById('lines');
  if (!list || !list.dataset.follow || !window.EventSource) return;
  const place = document.getElementById('follow');
  let partial = list.lastElementChild && list.dataset.from && Number(list.lastElementChild.id.slice(1)) > Number(list.dataset.from.split('.')[1]) ? list.lastElementChild : null;
  let following = !wanted;
  const button = document.createElement('button');
  button.type = 'button';
  button.textContent = 'Follow the end';
  const note = document.createElement('span');
  note.className = 'quiet';
  place.replaceChildren(button, ' ', note);
  const toEnd = () => { if (following) place.scrollIntoView({ block: 'end' }); };
  const follow = on => { following = on; button.setAttribute('aria-pressed', String(on)); toEnd(); };
  button.addEventListener('click', () => follow(!following));
  // Whoever scrolls up wants to read.
  addEventListener('wheel', event => { if (event.deltaY < 0) follow(false); }, { passive: true });
  addEventListener('keydown', event => { if (['PageUp', 'ArrowUp', 'Home'].includes(event.key)) follow(false); });

  const source = new EventSource(list.dataset.follow + '?from=' + encodeURIComponent(list.dataset.from));
  const append = html => {
    if (partial) { partial.remove(); partial = null; }
    list.insertAdjacentHTML('beforeend', html);
    while (list.childElementCount > maxRows) list.firstElementChild.remove();
  };
  source.addEventListener('open', () => { note.textContent = 'The log grows.'; });
  source.addEventListener('rows', event => { append(event.data); toEnd(); });
  source.addEventListener('partial', event => { append(event.data); partial = list.lastElementChild; toEnd(); });
  source.addEventListener('reset', () => { source.close(); location.reload(); });
  source.addEventListener('end', () => {
    source.close();
    button.remove();
    note.textContent = 'The log has ended.';
    setTimeout(refresh, settle);
  });
  source.addEventListener('error', () => {
    note.textContent = source.readyState === EventSource.CLOSED ? 'The log cannot be followed now. Reload to see more.' : 'The connection broke; trying again.';
  });
  follow(following);
})();
