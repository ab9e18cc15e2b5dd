// Values of the charts for pointer and keyboard. Everything that is shown stands in the page already.
"use strict";
(() => {
  const tip = document.getElementById("tip");

  function showTip(text, x, y) {
    tip.textContent = text;
    tip.hidden = false;
    const box = tip.getBoundingClientRect();
    tip.style.left = Math.max(4, Math.min(x + 14, innerWidth - box.width - 4)) + "px";
    tip.style.top = (y - box.height - 14 < 4 ? y + 18 : y - box.height - 14) + "px";
  }

  function hideTip() { tip.hidden = true; }

  const shown = (value) => {
    const short = Number(value.toPrecision(5));
    return Math.abs(short) >= 1000 ? short.toLocaleString("en") : String(short);
  };

  function place(scale, value) {
    const t = scale.log ? Math.log10 : (v) => v;
    return scale.start + (t(value) - t(scale.low)) / (t(scale.high) - t(scale.low)) * (scale.end - scale.start);
  }

  function nearest(values, wanted, distance) {
    let best = 0;
    for (let i = 1; i < values.length; i++)
      if (distance(values[i], wanted) < distance(values[best], wanted)) best = i;
    return best;
  }

  function lines(svg) {
    const plot = JSON.parse(svg.dataset.plot);
    const groups = [...svg.querySelectorAll("[data-series]")];
    const stops = [...new Set(plot.series.flatMap((s) => s.x))].sort((a, b) => a - b);
    const apart = (a, b) => Math.abs(place(plot.x, a) - place(plot.x, b));
    const cursor = svg.querySelector(".cursor");
    let current = stops.length - 1;

    function show(number) {
      current = Math.max(0, Math.min(stops.length - 1, number));
      const x = stops[current], at = place(plot.x, x), rows = [plot.x.label + " " + shown(x)];
      cursor.setAttribute("x1", at);
      cursor.setAttribute("x2", at);
      cursor.style.visibility = "visible";
      plot.series.forEach((series, s) => {
        if (series.x.length === 0) return;
        const i = nearest(series.x, x, apart), spot = groups[s].querySelector(".spot");
        spot.setAttribute("cx", place(plot.x, series.x[i]));
        spot.setAttribute("cy", place(plot.y, series.y[i]));
        spot.style.visibility = "visible";
        rows.push(series.name + "  " + shown(series.y[i]) +
                  (series.x[i] === x ? "" : "  (at " + shown(series.x[i]) + ")"));
      });
      const box = svg.getBoundingClientRect(), ratio = box.width / svg.viewBox.baseVal.width;
      showTip(rows.join("\n"), box.left + at * ratio, box.top + 60 * ratio);
    }

    function hide() {
      hideTip();
      svg.querySelectorAll(".cursor, .spot").forEach((e) => { e.style.visibility = "hidden"; });
    }

    if (stops.length === 0) return;
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect();
      const at = (event.clientX - box.left) * svg.viewBox.baseVal.width / box.width;
      show(nearest(stops, at, (value, wanted) => Math.abs(place(plot.x, value) - wanted)));
    });
    svg.addEventListener("pointerleave", hide);
    svg.addEventListener("blur", hide);
    svg.addEventListener("keydown", (event) => {
      const moves = { ArrowLeft: current - 1, ArrowRight: current + 1, Home: 0, End: stops.length - 1 };
      if (event.key === "Escape") hide();
      if (!(event.key in moves)) return;
      event.preventDefault();
      show(moves[event.key]);
    });
  }

  // Charts of marks: each mark has a text of its own; cells of a heat map are told by row and column.
  function marks(svg) {
    const all = [...svg.querySelectorAll("[data-tip], [data-v]")];
    const names = svg.dataset.names ? JSON.parse(svg.dataset.names) : null;
    const position = new Map();
    if (names) for (let q = 0, i = 0; q < names.length; q++) for (let k = 0; k <= q; k++) position.set(all[i++], [q, k]);
    let current = null;

    function text(mark) {
      if (!names) return mark.dataset.tip;
      const [q, k] = position.get(mark);
      return names[q] + " (" + (q + 1) + ") reads " + names[k] + " (" + (k + 1) + ")  " + mark.dataset.v;
    }

    function show(mark) {
      if (current) current.classList.remove("active");
      current = mark;
      mark.classList.add("active");
      const box = mark.getBoundingClientRect();
      showTip(text(mark), box.left + box.width / 2, box.top);
    }

    function hide() {
      hideTip();
      if (current) current.classList.remove("active");
    }

    function moved(key) {
      const i = current ? all.indexOf(current) : -1;
      if (key === "ArrowRight") return all[Math.min(all.length - 1, i + 1)];
      if (key === "ArrowLeft") return all[Math.max(0, i - 1)];
      if (!names || !current) return all[Math.max(0, i)];
      const [q, k] = position.get(current), row = q + (key === "ArrowDown" ? 1 : -1);
      return all.find((m) => position.get(m)[0] === row && position.get(m)[1] === k) || current;
    }

    svg.addEventListener("pointerover", (event) => {
      if (event.target.dataset.tip || event.target.dataset.v) show(event.target);
    });
    svg.addEventListener("pointerleave", hide);
    svg.addEventListener("blur", hide);
    svg.addEventListener("keydown", (event) => {
      if (event.key === "Escape") hide();
      if (!event.key.startsWith("Arrow") || all.length === 0) return;
      event.preventDefault();
      show(moved(event.key));
    });
  }

  document.querySelectorAll("svg.chart").forEach((svg) => (svg.dataset.plot ? lines : marks)(svg));
})();
