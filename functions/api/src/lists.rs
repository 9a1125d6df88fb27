//! Lists of documents, as OOAPI pages: of an association, an offering, a person, or a student, and of what need no longer be
//! kept.

use http::StatusCode;
use jiff::civil::Date;
use lambda_http::{Body, Request, RequestExt, Response};
use okd_core::{
    Stores,
    caller::Caller,
    class::DocumentType,
    metadata::{Link, LinkKind, Subject},
    stores::By,
    use_cases::{self, Cursor, MAX_PAGE, PAGE, PageAsked, Question, Start},
};
use serde_json::{Value, json};

use crate::{describe::described, refusal::Refusal, response::answer};

/// `GET …/{id}/documents`: the documents of an association, an offering or a person.
pub(crate) async fn list(
    stores: &Stores,
    caller: &Caller,
    subject: Subject,
    request: &Request,
) -> Result<Response<Body>, Refusal> {
    let mut query = Query::of(request)?;
    let question = query.question(By::Link(subject.link()))?;
    query.end()?;
    page(stores, caller, &question).await
}

/// `GET /documents`: the documents of a student (`studentNumber`), or those to be kept no longer than to the day before
/// `retentionDueBefore`.
pub(crate) async fn search(stores: &Stores, caller: &Caller, request: &Request) -> Result<Response<Body>, Refusal> {
    let mut query = Query::of(request)?;
    let student = query.take("studentNumber").filter(|number| !number.is_empty());
    let due = query.read("retentionDueBefore", DAY, day)?;
    let by = match (student, due) {
        (Some(id), None) => By::Link(Link { kind: LinkKind::Student, id }),
        (None, Some(before)) => By::DueBefore(before),
        _ => return Err(invalid("studentNumber", "or retentionDueBefore must be there, and not both")),
    };
    let question = query.question(by)?;
    query.end()?;
    page(stores, caller, &question).await
}

/// OOAPI's page object; the cursor of the next page is under `ext`.
async fn page(stores: &Stores, caller: &Caller, question: &Question) -> Result<Response<Body>, Refusal> {
    let page = use_cases::list(stores, caller, question).await?;
    let (number, has_previous) = match question.page.start {
        Start::Page(number) => (number, number > 1),
        Start::After(_, number) => (number, true),
    };
    let items = page.documents.iter().map(|(document, content)| described(document, content));
    let body = json!({
        "pageSize": question.page.size,
        "pageNumber": number,
        "hasPreviousPage": has_previous,
        "hasNextPage": page.next.is_some(),
        "items": items.collect::<Vec<Value>>(),
        "ext": { "okd": { "after": page.next.as_ref().map(Cursor::as_str) } },
    });
    Ok(answer(StatusCode::OK, &body))
}

/// The largest `pageNumber`: that of OOAPI's `int32`.
const MAX_PAGE_NUMBER: usize = 0x7fff_ffff;
/// The words for a value that [`day`] reads.
const DAY: &str = "a date such as 2026-07-31";

/// The parameters of a query that have not been read yet.
struct Query(Vec<(String, String)>);

impl Query {
    fn of(request: &Request) -> Result<Self, Refusal> {
        let query = request.query_string_parameters_ref();
        let pairs = query.into_iter().flat_map(|query| query.iter());
        let mut parameters: Vec<(String, String)> = Vec::new();
        for (name, value) in pairs {
            if parameters.iter().any(|(known, _)| known == name) {
                return Err(invalid(name, "is there twice"));
            }
            parameters.push((name.to_owned(), value.to_owned()));
        }
        Ok(Self(parameters))
    }

    /// The value of this parameter, which is then read.
    fn take(&mut self, name: &str) -> Option<String> {
        let place = self.0.iter().position(|(known, _)| known == name)?;
        Some(self.0.swap_remove(place).1)
    }

    /// The same, as what `read` makes of it; refused as not being `what`.
    fn read<T>(&mut self, name: &str, what: &str, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Refusal> {
        let Some(text) = self.take(name) else {
            return Ok(None);
        };
        read(&text).map(Some).ok_or_else(|| invalid(name, format!("must be {what}")))
    }

    /// The parameters that every list has.
    fn question(&mut self, by: By) -> Result<Question, Refusal> {
        let types = DocumentType::ALL.map(DocumentType::as_str).join(", ");
        let document_type = self.read("documentType", &format!("one of {types}"), DocumentType::parse)?;
        let since = self.read("since", DAY, day)?;
        let until = self.read("until", DAY, day)?;
        let up_to = |most: usize| move |text: &str| text.parse().ok().filter(|number| (1..=most).contains(number));
        let size = self.read("pageSize", &format!("a number from 1 to {MAX_PAGE}"), up_to(MAX_PAGE))?;
        let number =
            self.read("pageNumber", &format!("a number from 1 to {MAX_PAGE_NUMBER}"), up_to(MAX_PAGE_NUMBER))?;
        let after = self.read("after", "the ext.okd.after of the page before", Cursor::parse)?;
        let number = number.unwrap_or(1);
        let start = after.map_or(Start::Page(number), |cursor| Start::After(cursor, number));
        Ok(Question { by, document_type, since, until, page: PageAsked { size: size.unwrap_or(PAGE), start } })
    }

    /// Refuses what is left: a filter that is not known would give more than was asked for.
    fn end(self) -> Result<(), Refusal> {
        match self.0.into_iter().next() {
            Some((name, _)) => Err(invalid(&name, "is not known here")),
            None => Ok(()),
        }
    }
}

fn day(text: &str) -> Option<Date> {
    text.parse().ok().filter(|_| text.len() == "2026-07-31".len())
}

fn invalid(parameter: &str, fault: impl Into<String>) -> Refusal {
    Refusal::InvalidQuery { parameter: parameter.to_owned(), fault: fault.into() }
}
