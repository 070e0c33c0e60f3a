"use strict";

const show = (id, text) => {
    document.getElementById(id).textContent = text;
};

async function refresh() {
    try {
        const answer = await fetch("status.json");
        const text = await answer.text();
        const status = JSON.parse(text);
        show("uptime", (status.uptime_ms / 1000).toFixed(1) + " s");
        show("requests", status.requests.toLocaleString("en"));
        show("connections", status.connections.toLocaleString("en"));
        show("bytes", status.bytes_sent.toLocaleString("en"));
        show("json", text.trim());
        document.body.dataset.live = "yes";
    } catch (error) {
        show("json", "the server does not answer: " + error.message);
        document.body.dataset.live = "no";
    }
    setTimeout(refresh, 1000);
}

const picture = document.getElementById("picture");
const drawn = () => {
    document.body.dataset.picture = picture.naturalWidth > 0 ? "drawn" : "broken";
};
if (picture.complete)
    drawn();
else
    picture.onload = picture.onerror = drawn;
refresh();
