//! Code blocks and links of a Markdown page.

use std::fs;
use std::path::Path;

pub struct Block {
    /// What stands behind the three backticks.
    pub label: String,
    pub text: String,
    /// Where it begins, for messages.
    pub line: usize,
}

pub fn read(page: &Path) -> String {
    fs::read_to_string(page).unwrap_or_else(|error| panic!("{}: {error}", page.display()))
}

pub fn blocks(page: &Path) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (at, line) in read(page).lines().enumerate() {
        open = match (line.strip_prefix("```"), open) {
            (Some(label), None) => Some(Block { label: label.into(), text: String::new(), line: at + 1 }),
            (Some(_), Some(block)) => {
                blocks.push(block);
                None
            }
            (None, Some(mut block)) => {
                block.text += line;
                block.text += "\n";
                Some(block)
            }
            (None, None) => None,
        };
    }
    assert!(open.is_none(), "{} ends within a block", page.display());
    blocks
}

/// What is between backticks, and between the parentheses of links, outside of blocks or not.
pub fn names(text: &str) -> Vec<&str> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted.chain(links(text)).filter(|name| !name.contains('\n')).collect()
}

/// Where the links and pictures of a page lead.
pub fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}
