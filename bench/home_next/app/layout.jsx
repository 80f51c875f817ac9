import "./app.css";

export const metadata = { title: "Tickets on sale · Onsale", description: "Buy tickets from the people who hold them, and sell your own." };

export default function Layout({ children }) {
  return (
    <html lang="en">
      <body>
        <a className="skip" href="#main">Skip to the content</a>
        <header className="top">
          <div className="bar">
            <a className="brand" href="/">Onsale</a>
            <nav className="nav" aria-label="Main">
              <a href="/" aria-current="page">Tickets</a>
              <a href="/sell">Sell</a>
              <a href="/signin?next=/">Sign in</a>
            </nav>
          </div>
        </header>
        <main id="main" tabIndex={-1}>{children}</main>
        <footer className="foot">
          <p>A ticket is held for its buyer while they pay. What cannot be delivered is refunded.</p>
        </footer>
      </body>
    </html>
  );
}
