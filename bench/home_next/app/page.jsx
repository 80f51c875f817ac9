export const dynamic = "force-dynamic";

const dollars = new Intl.NumberFormat("en", { style: "currency", currency: "USD" });

function Card({ ticket }) {
  return (
    <li className="ticket" data-ticket={ticket.id} data-state={ticket.status} data-version={ticket.version}>
      <a href={`/tickets/${ticket.id}`}>
        <span className="what"><span className="title" dir="auto">{ticket.title}</span></span>
        <span className="stub">
          <data className="price" value={ticket.price} data-currency={ticket.currency}>{dollars.format(ticket.price)}</data>
        </span>
      </a>
    </li>
  );
}

export default async function Home() {
  const answer = await fetch(`${process.env.TICKETS_URL}/api/tickets?limit=20`, { cache: "no-store" });
  const tickets = await answer.json();
  const next = answer.headers.get("link")?.match(/cursor=([^&>]+)/)?.[1];
  return (
    <>
      <div className="lead">
        <h1>Tickets, from the people who hold them</h1>
        <p className="soft">Yours is held while you pay. Nobody can buy it from under you.</p>
        <form className="search" action="/" method="get" role="search">
          <label className="unseen" htmlFor="q">Search tickets</label>
          <span className="control">
            <input id="q" name="q" type="search" placeholder="Band, team, city…" maxLength={100} autoComplete="off" />
          </span>
          <button className="button" type="submit">Search</button>
        </form>
      </div>
      <section aria-labelledby="list-title" id="list">
        <div className="row"><h2 id="list-title">Just listed</h2></div>
        <ul className="tickets" id="tickets">{tickets.map((ticket) => <Card key={ticket.id} ticket={ticket} />)}</ul>
        {next && <p className="more"><a className="button quiet" rel="next" href={`/?after=${next}`}>More tickets</a></p>}
      </section>
    </>
  );
}
