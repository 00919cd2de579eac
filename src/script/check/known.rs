//! What an expression is sure to be, before the script runs. Everything that is not sure is unknown.

use std::any::TypeId;
use std::collections::BTreeMap;

use rhai::{AST, ASTFlags, ASTNode, Array, Dynamic, Expr, FnCallExpr, Map, Position};

use super::scope::FileNames;
use crate::base::Secret;
use crate::page::Page;
use crate::script::ScriptError;
use crate::script::identity::Trait;
use crate::script::kind::{self, Kind};
use crate::script::pattern::Pattern;
use crate::session::Session;

/// The kinds of things that an expression can be known to be.
#[derive(Debug, Clone, Default)]
pub enum Known {
    /// It is written out.
    Value(Dynamic),
    /// Text with values in it.
    Text,
    /// A list that is not written out in full.
    List,
    /// A map that is not written out in full.
    Map,
    /// What `session(..)` answers.
    Session,
    /// A session's page.
    Page,
    /// What `secret(..)` answers.
    Secret,
    /// What `regex(..)` answers.
    Pattern,
    /// Only a run can know.
    #[default]
    Unknown,
}

impl Known {
    /// Whether a parameter of this kind may take it.
    pub fn fits(&self, kind: Kind) -> bool {
        match self {
            Self::Unknown => true,
            _ if kind == Kind::Any => true,
            Self::Value(value) => kind.takes(value),
            Self::Text => kind.takes(&"".into()),
            Self::List => {
                matches!(kind, Kind::Selectors | Kind::SomeOf(_) | Kind::Choice | Kind::Cookies | Kind::Files)
            }
            Self::Map => {
                let is_map = |told: Trait| told.takes(&Map::new().into());
                matches!(kind, Kind::Options | Kind::Point | Kind::Choice | Kind::Files | Kind::State | Kind::Fields(_))
                    || matches!(kind, Kind::Trait(told) if is_map(told))
            }
            Self::Secret => kind == Kind::Input,
            Self::Pattern => kind == Kind::Pattern,
            Self::Session | Self::Page => false,
        }
    }

    /// Why a parameter of this kind does not take it, if it does not.
    pub fn fault(&self, kind: Kind) -> Option<ScriptError> {
        match self {
            Self::Value(value) => kind.fault(value),
            _ if self.fits(kind) => None,
            _ => {
                let message = format!("wanted {}, found {}", kind.wanted(), self.called());
                Some(ScriptError::new("invalid_argument", message))
            }
        }
    }

    /// Its name in messages.
    pub fn called(&self) -> String {
        match self {
            Self::Value(value) => kind::found(value),
            Self::Text => "text".to_owned(),
            Self::List => "a list".to_owned(),
            Self::Map => "a map".to_owned(),
            Self::Session => "a session".to_owned(),
            Self::Page => "a page".to_owned(),
            Self::Secret => "a secret".to_owned(),
            Self::Pattern => "a regular expression".to_owned(),
            Self::Unknown => "..".to_owned(),
        }
    }

    /// Its type in the engine.
    pub fn type_id(&self) -> Option<TypeId> {
        Some(match self {
            Self::Value(value) => value.type_id(),
            Self::Text => TypeId::of::<rhai::ImmutableString>(),
            Self::List => TypeId::of::<Array>(),
            Self::Map => TypeId::of::<Map>(),
            Self::Session => TypeId::of::<Session>(),
            Self::Page => TypeId::of::<Page>(),
            Self::Secret => TypeId::of::<Secret>(),
            Self::Pattern => TypeId::of::<Pattern>(),
            Self::Unknown => return None,
        })
    }

    /// Text that is written out.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Value(value) if value.is_string() => Some(kind::text(value)),
            _ => None,
        }
    }
}

/// What an expression is.
pub fn of(expression: &Expr, file: &FileNames) -> Known {
    match expression {
        Expr::FnCall(call, _) => answer(call, file),
        Expr::InterpolatedString(..) => Known::Text,
        Expr::Variable(variable, ..) if variable.2.is_empty() => file.held(&variable.1),
        Expr::Dot(parts, ..) => chain(of(&parts.lhs, file), &parts.rhs, &mut |_| {}),
        other => match (other.get_literal_value(None), other) {
            (Some(value), _) => Known::Value(value),
            (None, Expr::Array(..)) => Known::List,
            (None, Expr::Map(..)) => Known::Map,
            _ => Known::Unknown,
        },
    }
}

/// What a free call answers.
fn answer(call: &FnCallExpr, file: &FileNames) -> Known {
    let name = call.name.as_str();
    if call.is_qualified() || file.functions().contains_key(name) || file.may_be_closure(name, false) {
        return Known::Unknown;
    }
    match (name, call.args.as_slice()) {
        ("session", _) => Known::Session,
        ("secret", _) => Known::Secret,
        ("regex", _) => Known::Pattern,
        ("-", [Expr::IntegerConstant(number, _)]) => {
            number.checked_neg().map_or(Known::Unknown, |n| Known::Value(n.into()))
        }
        ("-", [Expr::FloatConstant(number, _)]) => Known::Value((-**number).into()),
        _ => Known::Unknown,
    }
}

/// A link of a chain `a.b.c(..)`, and what stands before it.
pub enum Link<'a> {
    /// `.c(..)`
    Method(&'a FnCallExpr, Known),
    /// `.b`
    Property(&'a str, Position, Known),
}

/// Follows the chain `rhs` from what stands before it; what it comes to.
fn chain<'a>(before: Known, rhs: &'a Expr, visit: &mut dyn FnMut(Link<'a>)) -> Known {
    match rhs {
        Expr::Dot(parts, ..) => {
            let between = chain(before, &parts.lhs, visit);
            chain(between, &parts.rhs, visit)
        }
        Expr::Index(parts, flags, _) => {
            chain(before, &parts.lhs, visit);
            after_index(&parts.rhs, *flags, visit)
        }
        Expr::MethodCall(call, _) => {
            visit(Link::Method(call, before));
            Known::Unknown
        }
        Expr::Property(property, position) => {
            let is_page = matches!(before, Known::Session) && property.2 == "page";
            visit(Link::Property(&property.2, *position, before));
            if is_page { Known::Page } else { Known::Unknown }
        }
        _ => Known::Unknown,
    }
}

/// `a[0].b`: the index and what follows it stand together on the right side, unless the chain ends there.
fn after_index<'a>(rhs: &'a Expr, flags: ASTFlags, visit: &mut dyn FnMut(Link<'a>)) -> Known {
    match rhs {
        Expr::Dot(parts, ..) if !flags.intersects(ASTFlags::BREAK) => chain(Known::Unknown, &parts.rhs, visit),
        Expr::Index(parts, inner, _) if !flags.intersects(ASTFlags::BREAK) => after_index(&parts.rhs, *inner, visit),
        _ => Known::Unknown,
    }
}

/// The receivers of all method calls, by the address of the call, and the properties that are read of what is known.
#[derive(Default)]
pub struct Chains {
    receivers: BTreeMap<usize, Known>,
    /// Name, place, and what it is read of.
    pub properties: Vec<(String, Position, Known)>,
}

impl Chains {
    /// Those of a file.
    pub fn of(ast: &AST, file: &FileNames) -> Self {
        let mut chains = Self::default();
        ast.walk(&mut |path: &[ASTNode]| {
            // Outer chains come first; the inner nodes of one are not chains of their own.
            match path.last() {
                Some(ASTNode::Expr(Expr::Dot(parts, ..))) => {
                    let before = of(&parts.lhs, file);
                    chain(before, &parts.rhs, &mut |link| chains.add(link));
                }
                Some(ASTNode::Expr(Expr::Index(parts, flags, _))) => {
                    after_index(&parts.rhs, *flags, &mut |link| chains.add(link));
                }
                _ => {}
            }
            true
        });
        chains
    }

    fn add(&mut self, link: Link<'_>) {
        match link {
            Link::Method(call, before) => {
                self.receivers.entry(address(call)).or_insert(before);
            }
            Link::Property(name, position, before) => {
                if !self.properties.iter().any(|(_, known, _)| *known == position) {
                    self.properties.push((name.to_owned(), position, before));
                }
            }
        }
    }

    /// What a method is called on.
    pub fn receiver(&self, call: &FnCallExpr) -> Known {
        self.receivers.get(&address(call)).cloned().unwrap_or(Known::Unknown)
    }
}

fn address(call: &FnCallExpr) -> usize {
    std::ptr::from_ref(call).addr()
}

/// The names of the fields that an assignment to `place` writes.
pub fn assigned_fields(place: &Expr) -> Vec<String> {
    match place {
        Expr::Dot(parts, ..) | Expr::Index(parts, ..) => {
            [assigned_fields(&parts.lhs), assigned_fields(&parts.rhs)].concat()
        }
        Expr::Property(property, _) => vec![property.2.to_string()],
        Expr::StringConstant(name, _) => vec![name.to_string()],
        _ => Vec::new(),
    }
}
