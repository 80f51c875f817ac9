export const dynamic = "force-dynamic";

// What a show's page of web says to a stranger, without its cover and its drawn plan.
export default async function Show({ params }) {
  const { id } = await params;
  const answer = await fetch(`${process.env.TICKETS_URL}/api/shows/${id}`, { cache: "no-store" });
  const show = await answer.json();
  const starts = new Intl.DateTimeFormat("en", { timeZone: show.timeZone, dateStyle: "full", timeStyle: "short" }).format(new Date(show.startsAt));
  const money = new Intl.NumberFormat("en", { style: "currency", currency: show.currency });
  return (
    <>
      <nav className="crumbs" aria-label="Where you are"><a href="/">Shows</a></nav>
      <article className="buying" id="show" data-show={id}>
        <div className="show-head">
          <h1 dir="auto">{show.title}</h1>
          <ul className="facts">
            <li><span><time dateTime={show.startsAt} data-zone={show.timeZone}>{starts}</time><br /><span className="soft small">By the clocks at the venue</span></span></li>
            <li><span><span dir="auto">{show.venue}</span><br /><span className="soft small" dir="auto">{show.city}</span></span></li>
            <li><span><span dir="auto">{show.organizer}</span><br /><span className="soft small">Sells these tickets, by this name</span></span></li>
          </ul>
          <p className="prose" dir="auto">{show.description}</p>
        </div>
        <section className="panel buy" id="sale" aria-labelledby="buy-title">
          <h2 id="buy-title">Tickets</h2>
          <a className="button wide" href={`/signin?next=%2Fshows%2F${id}`}>Sign in to buy</a>
          <p className="small soft">New here? <a href={`/signup?next=%2Fshows%2F${id}`}>Create an account</a>. It takes a minute, and brings you back to this show.</p>
        </section>
        <section className="places" id="areas" aria-labelledby="areas-title">
          <h2 id="areas-title">Areas and prices</h2>
          <ul className="areas">
            {show.areas.map((area) => (
              <li key={area.id}>
                <span className="area">
                  <span dir="auto">{area.name}</span><br />
                  <span className="small soft"><span className="free" data-area={area.id}>{area.free} left</span> · <a href={`/shows/${id}/areas/${area.id}`}>Pick your seats<span className="unseen"> in {area.name}</span></a></span>
                </span>{" "}
                <data className="price" value={area.price} data-currency={show.currency}>{money.format(area.price)}</data>
              </li>
            ))}
          </ul>
        </section>
      </article>
    </>
  );
}
